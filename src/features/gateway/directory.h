// Directory: which domains and recipients belong to which tenant, with each tenant's policy and
// limits. A snapshot that apid writes and hands out as bytes; a gateway keeps the last one it got
// and goes on with it for its lease when apid is away. It cannot change once built: share it by
// shared_ptr<const Directory>. All names are kept in lower case.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"

namespace mailhold::gateway {

enum class ScanMode : std::uint8_t {
  full,  // parse, authenticate, check, rewrite links
  none,  // a trusted route: accepted, sealed and delivered as it came
};

// What is done with a message that a check does not like.
enum class Action : std::uint8_t { deliver, hold, reject };

struct Policy {
  ScanMode scan = ScanMode::full;
  bool rewrite_links = true;
  Action virus = Action::hold;
  Action dmarc_reject = Action::hold;      // DMARC failed and the author's domain asks for p=reject
  Action malformed = Action::hold;         // readers would disagree about what the message contains
  Action blocked_type = Action::hold;      // an attachment of a type in blocked_types
  Action unscannable = Action::hold;       // a message that kills its scanner again and again
  std::vector<std::string> blocked_types;  // as the scanner names them: extension or media type, lower case
};

// Zero means the gateway's own setting.
struct TenantLimits {
  std::uint64_t message_bytes_max = 0;
  std::uint32_t recipients_max = 0;   // for each message
  std::uint32_t connections_max = 0;  // sessions at once that have a transaction for this tenant
};

struct Domain {
  std::string name;
  bool any_recipient = false;           // true: recipients are not known here and not checked
  std::vector<std::string> recipients;  // local parts, lower case, unquoted
};

struct Tenant {
  Id id;
  std::string name;        // as the operator calls it; never in logs
  std::string link_base;   // "https://links.example.net", without a slash at the end; empty: the region's
  bool suspended = false;  // recipients are answered 451
  Policy policy;
  TenantLimits limits;
  std::vector<Domain> domains;
};

struct DirectorySnapshot {
  std::uint64_t version = 0;  // grows with each change
  Milliseconds issued_at = 0;
  std::vector<Tenant> tenants;
};

// docs/formats/directory.md. Limits: 100,000 tenants, 1,000 domains of a tenant, 1,000,000 recipients of a domain.
std::string write_directory(const DirectorySnapshot& snapshot);
// corrupt when the bytes are not a whole snapshot of a known version.
Result<DirectorySnapshot> parse_directory(std::string_view bytes);

class Directory {
 public:
  Directory() = default;
  // invalid_input when two tenants claim one domain, or an id or a domain is empty.
  static Result<Directory> build(DirectorySnapshot snapshot);

  enum class Known { yes, no_such_domain, no_such_recipient };
  struct Match {
    Known known = Known::no_such_domain;
    const Tenant* tenant = nullptr;  // set unless no_such_domain; lives as long as the directory
  };
  // `local` unquoted, any case; "ann+news" also matches "ann".
  Match find(std::string_view local, std::string_view domain) const;
  const Tenant* tenant(const Id& id) const;
  // Does one of our tenants own this domain?
  const Tenant* owner_of(std::string_view domain) const;

  const DirectorySnapshot& snapshot() const { return snapshot_; }

 private:
  struct DomainEntry {
    std::uint32_t tenant = 0;
    bool any_recipient = false;
    std::unordered_map<std::string, bool> recipients;
  };
  const DomainEntry* entry(std::string_view domain) const;

  DirectorySnapshot snapshot_;
  std::unordered_map<std::string, DomainEntry> domains_;
  std::unordered_map<Id, std::uint32_t> tenants_;
};

}  // namespace mailhold::gateway
