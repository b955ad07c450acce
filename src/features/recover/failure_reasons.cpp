#include "features/recover/failure_reasons.h"

#include "base/clock.h"
#include "core/broker/broker_client.h"

namespace mailhold::recover {
namespace {

constexpr std::size_t said_bytes_max = 200;
constexpr std::size_t folders_named_max = 5;

std::string said_by_server(const Error& error) {
  return error.for_peer.empty() ? "" : " (\"" + error.for_peer.substr(0, said_bytes_max) + "\")";
}

}  // namespace

std::string reason_without_session(const Error& error) {
  if (error.is_temporary()) return "not reached: " + error.detail;
  if (!error.for_peer.empty()) return error.for_peer;
  if (broker::is_refused_credential(error)) return "no session: " + error.detail + ": enter it again (mailhold secret set)";
  switch (error.kind) {
    case ErrorKind::limit_exceeded: return "the connection is used up for now: " + error.detail;
    case ErrorKind::corrupt: return "the connection's secret does not open: enter it again (mailhold secret set)";
    case ErrorKind::not_found:
      return "the connection or its secret is missing: " + error.detail + "; enter it again (mailhold secret set)";
    default: return "no session: " + error.detail + "; see mailhold connection check";
  }
}

std::string reason_of_sync(const Error& error) {
  if (error.is_temporary()) return "broken off: " + error.detail + said_by_server(error);
  if (!error.for_peer.empty()) return error.for_peer;
  switch (error.kind) {
    case ErrorKind::denied: return "the server refuses to be read: check the permissions of the connection's account";
    case ErrorKind::not_found: return "a folder is gone: run the backup again";
    case ErrorKind::corrupt: return "the server breaks its protocol: " + error.detail;
    case ErrorKind::limit_exceeded: return "a limit was reached: " + error.detail;
    case ErrorKind::unsupported: return "not supported: " + error.detail;
    default: return {};
  }
}

std::string refused_folder(const Error& error) {
  const std::string what = error.kind == ErrorKind::not_found ? "is listed and then not known" : "is refused";
  return what + (error.for_peer.empty() ? " (" + error.detail + ")" : said_by_server(error)) +
         ": it is kept as it was last seen; check the rights of the connection's account";
}

std::string vanished_and_refused(const Error& error) {
  return "is listed no more and refused" + (error.for_peer.empty() ? " (" + error.detail + ")" : said_by_server(error)) +
         ": it is kept as it was last seen; give the connection's account its rights again, or, if it was deleted, say so with " +
         "mailhold backup run --accept-vanished";
}

std::string unnamed_items(std::uint64_t count) {
  return "has " + std::to_string(count) +
         " items that the server counts and does not name (no id, or that of another one), so that they cannot be read: look at "
         "it with the server's own tools";
}

std::string items_not_kept(std::uint64_t count) {
  return "has " + std::to_string(count) +
         " items that are not in the backup, since what is kept here of the same content is damaged, or its key or place is "
         "wrong: see mailhold backup check";
}

std::string most_vanished(std::uint64_t folders, std::uint64_t all_folders, std::uint64_t items, std::uint64_t all_items) {
  return std::to_string(folders) + " of " + std::to_string(all_folders) + " folders with " + std::to_string(items) + " of " +
         std::to_string(all_items) +
         " items are there no more. They are kept as they were last seen: check the rights of the connection's account, or, if "
         "they were deleted, say so with mailhold backup run --accept-vanished";
}

std::string reason_of_progress(const SyncProgress& progress) {
  std::string reason;
  const auto add = [&](const std::string& text) { reason += (reason.empty() ? "" : "; ") + text; };
  if (progress.unreadable > 0)
    add(std::to_string(progress.unreadable) + " items are listed and not given, " + std::to_string(progress.too_large) +
        " of them too large: look at them in the mailbox");
  std::size_t named = 0;
  for (const FolderTrouble& trouble : progress.troubles) {
    if (named++ == folders_named_max) break;
    add((trouble.path.empty() ? "" : "the folder " + mailboxes::path_text(trouble.path) + " ") + trouble.why);
  }
  if (progress.troubles.size() > folders_named_max)
    add("and so for " + std::to_string(progress.troubles.size() - folders_named_max) + " others");
  return reason;
}

std::string reason_of_restore(const Error& error) {
  if (error.is_temporary()) return error.detail + said_by_server(error);
  if (!error.for_peer.empty() && error.kind == ErrorKind::not_found) return error.for_peer;
  return reason_of_sync(error);
}

std::string how_to_sign_again(const RestoreRequest& request) {
  return std::string("sign for it again with mailhold restore ") + (request.into.is_none() ? "start" : "allow") + " --at " +
         to_iso8601(request.as_of) + ": it adds only what is missing";
}

}  // namespace mailhold::recover
