// Chains: number and hash of the newest entry of every tenant and of every connection, and where a
// tenant's entries lie. Grows with the log; one thread at a time.
//
// Design: docs/formats/ledger.md, "Entries"
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "core/evidence/entry.h"
#include "formats/tlog/merkle.h"

namespace mailhold::ledger {

struct TenantHead {
  Id tenant;
  Head head;
};

class Chains {
 public:
  // Sets the numbers and hashes of an event that comes next.
  void link(Event& event) const;

  struct Misfit {
    std::string what;
    std::uint64_t index = 0;  // the entry to blame: this one, or the one before it that changed afterwards
  };
  // Why an entry read at `index` cannot come next; nothing if it can.
  std::optional<Misfit> misfit(const Event& event, std::uint64_t index) const;

  void advance(const Event& event, std::uint64_t index, const Hash& leaf);

  std::vector<TenantHead> heads() const;  // sorted by tenant
  std::uint64_t tenant_count() const { return tenants_.size(); }
  // All of it as bytes, for a snapshot; parse gives the same again, or corrupt.
  void write(ByteWriter& writer) const;
  static Result<Chains> read(ByteReader& reader);

  // Where the tenant's entries lie, by seq - 1; nothing for an unknown tenant.
  const std::vector<std::uint64_t>* indexes_of(Id tenant) const;

 private:
  struct Tenant {
    Head head;
    std::vector<std::uint64_t> indexes;
  };
  struct Connection {
    Head head;
    std::uint64_t index = 0;
  };
  static std::string key_of(const Event& event);  // of connections_: a connection is one tenant's

  std::unordered_map<Id, Tenant> tenants_;
  std::unordered_map<std::string, Connection> connections_;
};

tlog::Tree heads_tree(const std::vector<TenantHead>& heads);

}  // namespace mailhold::ledger
