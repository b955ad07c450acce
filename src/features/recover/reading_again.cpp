#include "features/recover/reading_again.h"

namespace mailhold::recover {
namespace {

bool passes(const Error& error) { return error.is_temporary() || error.kind == ErrorKind::cancelled; }

}  // namespace

Result<ipc::OwnedFd> SessionsToReadBack::open(Id tenant, Id connection, std::string_view purpose, const Deadline& deadline) {
  return open_by(&mailboxes::SessionSource::open, tenant, connection, purpose, deadline);
}

Result<ipc::OwnedFd> SessionsToReadBack::open_http(Id tenant, Id connection, std::string_view purpose, const Deadline& deadline) {
  return open_by(&mailboxes::SessionSource::open_http, tenant, connection, purpose, deadline);
}

// Any refusal of the permit's session will do, as long as the other one opens: it reads the same place.
Result<ipc::OwnedFd> SessionsToReadBack::open_by(Open open, Id tenant, Id connection, std::string_view purpose,
                                                 const Deadline& deadline) {
  if (reads_without_permit_) return open_without_permit(open, tenant, connection, deadline);
  auto by_permit = (by_permit_.get()->*open)(tenant, connection, purpose, deadline);
  if (by_permit || passes(by_permit.error())) return by_permit;
  auto without = open_without_permit(open, tenant, connection, deadline);
  if (without) reads_without_permit_ = true;
  if (without || passes(without.error())) return without;
  Error both = by_permit.error();
  both.detail += "; over the connection that the mailbox is read over: " + without.error().detail;
  return both;
}

Result<ipc::OwnedFd> SessionsToReadBack::open_without_permit(Open open, Id tenant, Id written, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Mailbox mailbox, book_.mailbox(mailbox_, deadline));
  if (mailbox.connection.is_none()) return Error{ErrorKind::denied, "it has none, since it was imported"};
  const auto sessions = permits_.reading_sessions(written);
  return (sessions.get()->*open)(tenant, mailbox.connection, "backup.read", deadline);
}

bool found_nothing(const RestoreReport& report) {
  bool looked = false;
  for (const RestoredItem& item : report.items) {
    if (item.outcome == Outcome::failed || item.outcome == Outcome::would) continue;
    if (item.outcome != Outcome::differs || item.detail != not_there) return false;
    looked = true;
  }
  return looked;
}

}  // namespace mailhold::recover
