// The methods of brokerd and of authd, and the encodings of what is asked and answered.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/result.h"
#include "core/access/connection.h"
#include "core/access/route.h"
#include "core/broker/session_meter.h"

namespace mailhold::broker {

// brokerd, for gatewayd-out.
enum class Method : std::uint16_t {
  open_session = 1,  // OpenSession -> one descriptor: the channel of submission_messages.h
  routes = 2,        // () -> RouteTable
  // For workerd:
  open_connection = 3,  // OpenConnection -> one descriptor: the protocol of the connection, signed in already
  keeping = 4,          // tenant (16) -> access::write_keeping
  report = 5,           // WorkReport -> (), once it is in the ledger
  begin_export = 6,     // SHA-256 of the operation -> its bytes, once the ledger says that it is acted upon
  record_export = 7,    // ExportMade -> ledger::Receipt of the entry export.made
  begin_restore = 8,    // as begin_export, of a restore
  record_restore = 9,   // RestoreMade -> (), once it is in the ledger
};

// What workerd did by itself, for the ledger: ids and counts.
struct WorkReport {
  Id tenant;
  Id mailbox;
  std::string type;                             // one of work_report_types
  std::map<std::string, std::uint64_t> counts;  // small letters and '_', at most 16
};
inline constexpr std::string_view work_report_types[] = {"backup.proved", "backup.expired", "backup.searched", "mailbox.removed"};
std::string encode(const WorkReport& report);
Result<WorkReport> parse_work_report(std::string_view bytes);  // corrupt; denied: another type

struct OpenSession {
  Id tenant;
  Id route;
  Id job;  // what the session is for, as the caller names it; stands in the ledger
};
std::string encode(const OpenSession& request);
Result<OpenSession> parse_open_session(std::string_view bytes);  // corrupt

struct OpenConnection {
  Id connection;
  access::ConnectionKind kind = access::ConnectionKind::imap;  // that the worker can speak
  std::string purpose;
  Id job;                // what the session is for; stands in the ledger
  Id tenant{};           // whose data the session will carry: denied for a connection of another one; none: not checked
  std::string permit{};  // SHA-256 of the operation by which it was signed for; empty: none
  Id written{};          // another connection, whose account and folders this one must read: denied else; none: not checked
};
std::string encode(const OpenConnection& request);
Result<OpenConnection> parse_open_connection(std::string_view bytes);  // corrupt

// What an export came to.
struct ExportMade {
  std::string operation;        // SHA-256 of the operation that allowed it
  std::string manifest_sha256;  // raw
  std::uint64_t items = 0;
  std::uint64_t failed = 0;
  std::uint64_t bytes = 0;
};
std::string encode(const ExportMade& made);
Result<ExportMade> parse_export_made(std::string_view bytes);  // corrupt

// What a restore came to. Which mailboxes these are, the operation says.
struct RestoreMade {
  std::string operation;  // SHA-256 of the operation that allowed it
  std::uint64_t restored = 0;
  std::uint64_t present = 0;
  std::uint64_t missing = 0;  // of a dry run
  std::uint64_t differing = 0;
  std::uint64_t overwritten = 0;  // or would be
  bool is_dry_run = false;
  bool is_whole = false;  // it came to its end
};
std::string encode(const RestoreMade& made);
Result<RestoreMade> parse_restore_made(std::string_view bytes);  // corrupt

// authd, for brokerd. Each authd answers one `session` or `connection_session`, then one `finish`, and ends.
enum class AuthdMethod : std::uint16_t {
  // AuthdJob, descriptors: connected socket, channel to the gateway, with a token host its socket -> () once TLS and AUTH are
  // done
  session = 1,
  finish = 2,  // () -> SessionReport, when the session is over
  // ConnectionJob, descriptors: connected socket, the worker's channel, the meter, with a token host its socket -> ()
  connection_session = 3,
};

struct AuthdJob {
  access::Route route;
  std::string policy;  // policy_of(route): the secret opens for this destination only
  std::string purpose;
  std::string receipt;   // of the intent in the ledger
  std::string our_name;  // for EHLO
  std::string envelope_id;
};
std::string encode(const AuthdJob& job);
Result<AuthdJob> parse_authd_job(std::string_view bytes);  // corrupt

struct ConnectionJob {
  access::Connection connection;
  std::string purpose;
  std::string receipt;  // of the intent in the ledger
  std::string use_id;   // the leaf of the intent in hex: told to servers that take such a thing
};
std::string encode(const ConnectionJob& job);
Result<ConnectionJob> parse_connection_job(std::string_view bytes);  // corrupt

struct SessionReport {
  std::uint32_t messages = 0;
  std::uint64_t bytes = 0;
  std::uint64_t items = 0;    // of a connection
  std::uint64_t refused = 0;  // commands that the purpose does not allow
  Allowance unused;           // granted by the meter and not needed
  std::string end;            // "closed", or why it ended
};
std::string encode(const SessionReport& report);
Result<SessionReport> parse_session_report(std::string_view bytes);  // corrupt

// Where and for what the secret of a route may be used: the canonical bytes that stand in the seal of the secret.
// Changing any of it makes the stored secret unreadable, so it must be entered again for the new destination.
std::string policy_of(const access::Route& route);

inline constexpr std::string_view submit_purpose = "route.submit";
inline constexpr std::string_view restore_purpose = "restore.write";
// Of a session over http that a permit with `overwrite` opened for restore_purpose. No connection can have it, so nobody can ask
// for it.
inline constexpr std::string_view overwrite_purpose = "restore.overwrite";
inline constexpr std::string_view restore_permit = "restore.allow";  // the operation
inline constexpr std::string_view intent_type = "use.intent";
inline constexpr std::string_view outcome_type = "use.outcome";
inline constexpr std::string_view end_type = "use.end";

}  // namespace mailhold::broker
