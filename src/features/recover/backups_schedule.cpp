// When each mailbox is read again, and which are watched.
#include "features/mailboxes/imap/imap_mailbox.h"
#include "features/mailboxes/imap/imap_watch.h"
#include "features/recover/backups.h"

namespace mailhold::recover {

// Between two syncs that came to their ends.
std::chrono::seconds Backups::wait_between(const Mailbox& mailbox) {
  if (mailbox.schedule.reading == Reading::every) return mailbox.schedule.every;
  if (mailbox.schedule.reading == Reading::usual) return settings_.every;
  return std::min(settings_.every, watches_.is_open(mailbox.id) ? settings_.watched_every : settings_.watches.unwatched_every);
}

// For how long the mailbox is left alone.
std::chrono::seconds Backups::wait_after(const Mailbox& mailbox, const Status& status, bool got_on, std::chrono::seconds rest) {
  const std::lock_guard lock(mutex_);
  if (!status && status.error().is_temporary()) return pauses_.next(mailbox.id, got_on, rest);
  pauses_.forget(mailbox.id);
  const std::chrono::seconds wait = wait_between(mailbox);
  // What somebody must look at does not pass sooner because the mailbox is read often.
  return status ? wait : std::max(wait, settings_.every);
}

// When it is to be read: what its last sync in this process left; else at once, but for one with a time of its own, which a new
// process does not cut short.
Backups::Moment Backups::due(const Mailbox& mailbox) {
  if (const auto known = due_.find(mailbox.id); known != due_.end()) return known->second;
  const bool ended_well = mailbox.synced_at != 0 && mailbox.tried_at == mailbox.synced_at;
  if (mailbox.schedule.reading != Reading::every || !ended_well) return Moment::min();
  const std::chrono::milliseconds left =
      mailbox.schedule.every - std::chrono::milliseconds(parts_.clock.now() - mailbox.synced_at);
  // More than all of it is left where the clock was set back.
  if (left.count() <= 0 || left > mailbox.schedule.every) return Moment::min();
  return due_[mailbox.id] = std::chrono::steady_clock::now() + left;
}

std::optional<Milliseconds> Backups::next_sync_at(const Mailbox& mailbox) {
  if (mailbox.paused || mailbox.connection.is_none() || running_.contains(mailbox.id)) return std::nullopt;
  const Moment at = due(mailbox), now = std::chrono::steady_clock::now();
  if (at <= now) return std::nullopt;
  return parts_.clock.now() + std::chrono::duration_cast<std::chrono::milliseconds>(at - now).count();
}

void Backups::plan_anew(const Mailbox& before, const Mailbox& after) {
  if (before.schedule == after.schedule && before.types == after.types) return;
  const std::lock_guard lock(mutex_);
  const bool is_running = running_.contains(after.id);
  if (pauses_.has(after.id) && !is_running) return;  // its server wants to be left alone, however often it is to be asked
  if (before.types == after.types)
    due_.erase(after.id);
  else
    due_[after.id] = Moment::min();
  look_again();
}

// Never before its server wants to be asked again.
void Backups::read_within(Id mailbox, std::chrono::seconds time) {
  const std::lock_guard lock(mutex_);
  const auto due = due_.find(mailbox);
  const bool is_resting = pauses_.has(mailbox) && !running_.contains(mailbox);
  if (due == due_.end() || is_resting) return;  // without a time it is read as soon as anybody can
  due->second = std::min(due->second, std::chrono::steady_clock::now() + time);
  look_again();
}

Result<Watches::Opened> Backups::open_watch(const Mailbox& mailbox, const Deadline& deadline) {
  if (mailbox.kind != mailboxes::MailboxKind::imap)
    return Error{ErrorKind::unsupported, "servers of calendars and contacts do not tell what changes"};
  ASSIGN_OR_RETURN(ipc::OwnedFd socket, parts_.sessions.open(mailbox.tenant, mailbox.connection, "backup.read", deadline));
  const int descriptor = socket.get();
  ASSIGN_OR_RETURN(const auto source, mailboxes::ImapMailbox::open(net::stream_over(socket.release()), false,
                                                                   {.limits = mailboxes::watch_limits}, deadline));
  ASSIGN_OR_RETURN(auto watch, source->watch(deadline));
  return Watches::Opened{std::move(watch), descriptor};
}

// As soon as the rows can be read; from then on change() says what each mailbox is to be.
void Backups::take_up_watches() {
  const std::lock_guard lock(changing_);
  if (took_up_watches_) return;
  const auto mailboxes = parts_.book.mailboxes(Deadline::after(std::chrono::seconds(5)));
  if (!mailboxes) return;  // sealed, or keyd is away
  for (const Mailbox& mailbox : *mailboxes) {
    if (!is_let_go(mailbox.id)) watches_.want(mailbox);
  }
  took_up_watches_ = true;
}

}  // namespace mailhold::recover
