// Restores among the other work: how they are asked for, what two people must have signed, and what comes of them.
#include "base/log.h"
#include "features/recover/backup_metrics.h"
#include "features/recover/backups.h"
#include "features/recover/failure_reasons.h"

namespace mailhold::recover {
namespace {

Error refused(ErrorKind kind, const std::string& what) { return {kind, what, what}; }

Error nobody_allows() { return {ErrorKind::unsupported, "nobody is there who allows restores into other mailboxes"}; }

}  // namespace

// Restores that the last process did not finish. Without keys they are looked for again.
void Backups::take_up_restores() {
  const std::lock_guard lock(mutex_);
  if (took_up_restores_) return;
  const Deadline deadline = Deadline::after(row_time);
  const auto jobs = parts_.book.restores(deadline);
  if (!jobs) return;
  for (const Id& job : *jobs) {
    const auto bytes = parts_.book.restore(job, deadline);
    if (!bytes && bytes.error().is_temporary()) return;
    auto report = bytes ? parse_report(*bytes) : Result<RestoreReport>(bytes.error());
    if (report && !report->is_over && !restoring_.contains(job)) {
      restoring_[job] = std::move(*report);
      waiting_.emplace_back(job, false);
    }
  }
  took_up_restores_ = true;
}

void Backups::restore_one(Id job, RestoreReport report, bool only_verify, const std::stop_token& stop) {
  const Deadline deadline = Deadline::after(session_time, stop);
  const bool is_into_another = !report.request.into.is_none();
  const auto mailbox = parts_.book.mailbox(report.request.mailbox, deadline);
  const auto target = is_into_another ? parts_.book.mailbox(report.request.into, deadline) : mailbox;
  Status status = mailbox && target ? done() : Status(mailbox ? target.error() : mailbox.error());
  RestorePermits* const permits = is_into_another ? parts_.permits : nullptr;
  if (is_into_another && permits == nullptr) status = nobody_allows();
  std::string reason;
  if (status) {
    const auto permitted = permits != nullptr ? permits->sessions(report.request.permit) : nullptr;
    mailboxes::SessionSource& sessions = permitted ? *permitted : parts_.sessions;
    const auto open_target = [&](const Deadline& until) {
      auto opened = open(*target, true, sessions, until);
      if (!opened) reason = reason_without_session(opened.error()) + (opened.error().is_temporary() ? "; run it again" : "");
      return opened;
    };
    Restore restore({parts_.book, parts_.store, open_target, parts_.meaning});
    const auto progress = [&] {
      const std::lock_guard lock(mutex_);
      restoring_[job] = report;
    };
    status = only_verify ? restore.verify(report, deadline) : restore.run(report, progress, deadline);
  }
  if (stop.stop_requested()) return;  // taken up again at the next start
  report.is_over = true;
  report.failure = status ? "" : !reason.empty() ? reason : reason_of_restore(status.error());
  if (!only_verify) count_restore(report);
  if (permits != nullptr && !only_verify) {
    const Status told = permits->record(report, Deadline::after(row_time));
    if (!told) log_error("backup", "the ledger does not know the end of a restore: " + std::string(name_of(told.error().kind)));
  }
  const Status written = mailbox ? parts_.book.put_restore(mailbox->tenant, job, write_report(report), deadline) : done();
  if (!written)
    log_error("backup",
              "the report of restore " + job.text() + " cannot be written: " + std::string(name_of(written.error().kind)));
  log_info("backup", "restore " + job.text() + ": " + std::to_string(report.count(Outcome::restored)) + " restored, " +
                         std::to_string(report.count(Outcome::differs) + report.count(Outcome::failed)) + " not as they were");
  const std::lock_guard lock(mutex_);
  if (written)
    restoring_.erase(job);
  else
    restoring_[job] = std::move(report);
}

Result<Id> Backups::restore(RestoreRequest request, const Deadline& deadline) {
  if (!request.into.is_none()) return Error{ErrorKind::bug, "a restore into another mailbox that nobody allowed"};
  return begin_restore(std::move(request), deadline);
}

// Checked, written down and begun.
Result<Id> Backups::begin_restore(RestoreRequest request, const Deadline& deadline) {
  const std::lock_guard changing(changing_);
  if (is_let_go(request.mailbox) || is_let_go(request.into)) return refused(ErrorKind::not_found, "the mailbox is being removed");
  ASSIGN_OR_RETURN(const Mailbox mailbox, parts_.book.mailbox(request.mailbox, deadline));
  if (mailbox.synced_at == 0) return refused(ErrorKind::not_found, "nothing was backed up yet");
  RestoreReport report;
  report.request = std::move(request);
  report.started_at = parts_.clock.now();
  if (report.request.as_of == 0) report.request.as_of = mailbox.synced_at;
  const Id job = Id::random();
  const std::string bytes = write_report(report);
  {
    // Known before its row is there: whoever looks for what the last process left takes it for none of that.
    const std::lock_guard lock(mutex_);
    restoring_[job] = std::move(report);
  }
  const Status written = parts_.book.put_restore(mailbox.tenant, job, bytes, deadline);
  const std::lock_guard lock(mutex_);
  if (!written) {
    restoring_.erase(job);
    return written.error();
  }
  waiting_.emplace_back(job, false);
  look_again();
  return job;
}

Result<Backups::MailboxPair> Backups::check_into(Id from, Id into, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Mailbox source, parts_.book.mailbox(from, deadline));
  ASSIGN_OR_RETURN(const Mailbox target, parts_.book.mailbox(into, deadline));
  if (from == into) return refused(ErrorKind::invalid_input, "that is the mailbox itself: restore it with restore start");
  if (source.tenant != target.tenant)
    return refused(ErrorKind::denied, "the other mailbox is another tenant's: nothing goes from one tenant to another");
  if (source.kind != target.kind)
    return refused(ErrorKind::invalid_input,
                   "mail goes into a mailbox of kind imap, calendars and contacts into one of kind dav: the other one is " +
                       std::string(mailboxes::name_of(target.kind)));
  if (target.restore_connection.is_none())
    return refused(ErrorKind::invalid_input, "the other mailbox has no restore connection");
  if (source.synced_at == 0) return refused(ErrorKind::not_found, "nothing was backed up yet");
  return MailboxPair{source, target};
}

Result<Id> Backups::restore_into(const std::string& operation, bool dry_run, const FindItems& find, const Deadline& deadline) {
  if (parts_.permits == nullptr) return nobody_allows();
  ASSIGN_OR_RETURN(const RestorePermits::Permit permit, parts_.permits->begin(operation, deadline));
  ASSIGN_OR_RETURN(const MailboxPair pair, check_into(permit.request.mailbox, permit.request.into, deadline));
  if (pair.from.tenant != permit.tenant) return refused(ErrorKind::denied, "the mailbox is another tenant's");
  if (pair.into.restore_connection != permit.connection)
    return refused(ErrorKind::denied, "the other mailbox has another restore connection than the one that was signed for");
  RestoreRequest request = permit.request;
  request.dry_run = dry_run;
  request.place = place_of(pair.from);
  if (!permit.query.empty()) {
    ASSIGN_OR_RETURN(request.items, find(pair.from, permit.query, request.as_of, deadline));
  }
  return begin_restore(std::move(request), deadline);
}

Status Backups::verify(Id job, const Deadline& deadline) {
  ASSIGN_OR_RETURN(RestoreReport report, restore_report(job, deadline));
  if (!report.is_over || report.request.dry_run)
    return Error{ErrorKind::denied, "the restore is not over", "the restore is not over, or was a dry run"};
  report.is_over = false;
  const std::lock_guard lock(mutex_);
  restoring_[job] = std::move(report);
  waiting_.emplace_back(job, true);
  look_again();
  return done();
}

Result<RestoreReport> Backups::restore_report(Id job, const Deadline& deadline) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = restoring_.find(job);
    if (found != restoring_.end()) return found->second;
  }
  ASSIGN_OR_RETURN(const std::string bytes, parts_.book.restore(job, deadline));
  return parse_report(bytes);
}

}  // namespace mailhold::recover
