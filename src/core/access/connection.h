// Connection: a tenant's account at a server: where it is, how it is verified, how Mailhold signs in, and what
// may be done there, by whom and how much. It holds no secret: that lies in keyd, sealed to secret_policy_of().
// brokerd owns the table and changes it by signed operations only.
//
// Bytes and rules: docs/formats/connection.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/id.h"
#include "base/result.h"
#include "core/access/sign_in.h"

namespace mailhold::access {

enum class ConnectionKind : std::uint8_t { imap = 1, pop3 = 2, http = 3, ldap = 4 };
enum class ConnectionTls : std::uint8_t { starttls = 1, implicit = 2 };  // there is no connection without TLS

// Numbers of one UTC hour or day; 0: no limit. A session ends exactly at them.
struct Caps {
  std::uint64_t sessions_hour = 0, sessions_day = 0;
  std::uint64_t items_hour = 0, items_day = 0;  // messages fetched, entries found, requests made
  std::uint64_t bytes_hour = 0, bytes_day = 0;  // from the server
  std::uint64_t mailboxes_day = 0;              // different ones, for http
  friend bool operator==(const Caps&, const Caps&) = default;
};

struct Connection {
  Id id;
  Id tenant;
  ConnectionKind kind = ConnectionKind::imap;
  std::string host;  // name or numeric address
  std::uint16_t port = 0;
  ConnectionTls tls = ConnectionTls::implicit;
  std::string name;               // that its certificate must carry; empty: host
  std::string ca;                 // "system", PEM text, or empty
  std::vector<std::string> pins;  // SHA-256 of the certificate's public key, 64 hex digits; instead of name and CA
  SignIn sign_in = SignIn::password;
  std::string user;        // the account there; for ldap a DN; for http with assertion the client id
  std::string token_host;  // of the token endpoint, for assertion; verified by the system's authorities or `ca`
  std::uint16_t token_port = 443;
  std::vector<std::string> purposes;   // "backup.read", "restore.write", "journal", "directory.read"
  std::vector<std::string> verbs;      // http only: "GET /v1.0/users/{mailbox}/messages/**"
  std::vector<std::string> mailboxes;  // imap: folders; http: {mailbox}; ldap: base DNs. One "*": all
  Caps caps;
  std::vector<std::string> workers;  // SHA-256 of programs that may use it, 64 hex digits; empty: any workerd
  std::string egress;                // numeric address that we come from; empty: any
  bool suspended = false;
  friend bool operator==(const Connection&, const Connection&) = default;
};

inline constexpr std::string_view known_purposes[] = {"backup.read", "restore.write", "journal", "directory.read"};

// invalid_input says what is wrong.
Status check_connection(const Connection& connection);

// Whether `after` lets anybody do more than `before`, or anything elsewhere; nothing before: it does. Widening takes two people.
bool widens(const Connection* before, const Connection& after);

// Where, as whom and for what the secret may be used: stands in the seal of the secret. Changing any of it makes the
// stored secret unreadable, so it must be entered again.
std::string secret_policy_of(const Connection& connection);

std::string write_connection(const Connection& connection);
Result<Connection> parse_connection(std::string_view bytes);  // corrupt unless whole and sound

}  // namespace mailhold::access
