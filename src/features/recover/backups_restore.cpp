// Restores among the other work: how they are asked for, what must have been signed, and what comes of them.
#include "base/clock.h"
#include "base/log.h"
#include "features/recover/backup_metrics.h"
#include "features/recover/backups.h"
#include "features/recover/failure_reasons.h"
#include "features/recover/reading_again.h"

namespace mailhold::recover {
namespace {

using namespace std::chrono_literals;

constexpr auto again_time = 1s;  // until what a start has not yet opened is asked once more
constexpr auto show_time = 1s;   // how old what is shown of a restore under way is, at most
constexpr auto note_time = 5s;   // how much of a restore's report is lost with the process, at most

Error refused(ErrorKind kind, const std::string& what) { return {kind, what, what}; }

Error nobody_allows() { return {ErrorKind::unsupported, "nobody is there who allows restores"}; }

// Why nothing more can be put there, or read back.
std::string reason_without_target(const Error& error, const RestoreRequest& request) {
  if (error.is_temporary()) return reason_without_session(error);
  const bool is_of_brokerd = error.kind == ErrorKind::denied && error.for_peer.empty();
  return (is_of_brokerd ? "no session: " + error.detail : reason_without_session(error)) + "; when that is mended, " +
         how_to_sign_again(request);
}

// Over the connection that the mailbox is read over, by now.
constexpr std::string_view nothing_found =
    "its permit counts no more, and over the connection that the mailbox is read over nothing of it is there: all of it has left "
    "the "
    "mailbox since, or that connection does not reach it";

// What the last process did of a restore that may not go on: as far as it has noted that.
std::string reason_to_end(const Error& error, const RestoreReport& report) {
  const std::uint64_t restored = report.count(Outcome::restored), flags_set = report.count(Outcome::flags_set),
                      overwritten = report.count(Outcome::overwritten);
  const std::string items = std::to_string(restored) + " items had been put back" +
                            (overwritten > 0 ? ", " + std::to_string(overwritten) + " written over" : "") +
                            (flags_set > 0 ? " and the flags of " + std::to_string(flags_set) + " set" : "");
  return "workerd ended in the middle of it, and it may not go on: " + error.detail + ". By its last note " + items +
         ", and were not read back; what was under way may be there too. To have the rest, " + how_to_sign_again(report.request);
}

// After a verification that came to no end: what it found until then says nothing of the whole.
RestoreReport as_it_was(RestoreReport report) {
  auto before = parse_report(report.before);
  if (!before) return report;  // begun by a workerd that kept none
  before->not_read_back = "the report of this restore stays as it was, since it could not be read back again: " + report.failure;
  return std::move(*before);
}

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
      waiting_.push_back({job, restoring_[job].only_verifies ? RestoreWork::verify : RestoreWork::take_up});
    }
  }
  took_up_restores_ = true;
}

Id Backups::written_by(const RestoreRequest& request) { return request.into.is_none() ? request.mailbox : request.into; }

// The first whose time has come and whose mailbox no other restore works on: two would put the same item there.
std::optional<Backups::WaitingRestore> Backups::next_restore() {
  std::erase_if(waiting_, [this](const WaitingRestore& each) { return !restoring_.contains(each.job); });
  for (auto each = waiting_.begin(); each != waiting_.end(); ++each) {
    RestoreReport& report = restoring_.at(each->job);
    if (is_to_come(report.waiting.until, parts_.clock.now()) || !written_.insert(written_by(report.request)).second) continue;
    report.waiting.until = 0;
    const WaitingRestore waiting = *each;
    waiting_.erase(each);
    return waiting;
  }
  return std::nullopt;
}

void Backups::restore_one(const WaitingRestore& waiting, const std::stop_token& stop) {
  RestoreReport report = [&] {
    const std::lock_guard lock(mutex_);
    return restoring_.at(waiting.job);
  }();
  const Deadline deadline = Deadline::after(session_time, stop);
  if (waiting.work == RestoreWork::take_up) {
    const Status may = may_go_on(report, deadline);
    if (stop.stop_requested()) return;
    if (!may && may.error().is_temporary()) return try_again(waiting, stop);
    if (!may) {
      report.failure = reason_to_end(may.error(), report);
      return end_restore(waiting, std::move(report));
    }
  }
  const std::optional<BrokenOff> broken_off = carry_out(waiting, report, deadline);
  if (!stop.stop_requested()) {
    if (!broken_off || !put_off(waiting, report, *broken_off)) end_restore(waiting, std::move(report));
    return;
  }
  // Taken up again at the next start, with what is known by now.
  report.failure.clear();
  if (waiting.work != RestoreWork::verify) (void)keep_report(waiting.job, report);
}

// The ledger says once more that it is acted upon.
Status Backups::may_go_on(const RestoreReport& report, const Deadline& deadline) {
  if (parts_.permits == nullptr) return nobody_allows();
  RETURN_IF_ERROR(parts_.permits->begin(report.request.permit, deadline));
  return done();
}

// At a start neither the keys nor the ledger may be open yet.
void Backups::try_again(const WaitingRestore& waiting, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, stop, again_time, [] { return false; });
  written_.erase(written_by(restoring_.at(waiting.job).request));
  waiting_.push_back(waiting);
}

Result<std::unique_ptr<mailboxes::MailboxTarget>> Backups::open_written(const RestoreRequest& request,
                                                                        mailboxes::SessionSource& sessions, Use use,
                                                                        const Deadline& deadline,
                                                                        mailboxes::DavSession::HearRest hear_rest) {
  ASSIGN_OR_RETURN(const Mailbox mailbox, parts_.book.mailbox(written_by(request), deadline));
  return open(mailbox, use, sessions, deadline, std::move(hear_rest));
}

// Into the report, with the reason if it came to no end; and whether that passes by itself.
std::optional<Backups::BrokenOff> Backups::carry_out(const WaitingRestore& waiting, RestoreReport& report,
                                                     const Deadline& deadline) {
  const bool verifies = waiting.work == RestoreWork::verify;
  const auto by_permit = parts_.permits->sessions(report.request.permit);
  SessionsToReadBack to_read_back(*parts_.permits, parts_.book, report.request);
  mailboxes::SessionSource& sessions = verifies ? to_read_back : *by_permit;
  // What was signed for as a dry run gets sessions that only read.
  const Use use = verifies || report.request.dry_run ? Use::only_reads : Use::restore;
  const std::shared_ptr<RestoreMemory> memory = [&] {
    const std::lock_guard lock(mutex_);
    auto& known = memories_[waiting.job];
    if (known == nullptr) known = std::make_shared<RestoreMemory>();
    return known;
  }();
  const std::uint64_t got_on_before = memory->got_on;
  WantedRest rest;
  std::optional<Error> not_opened;
  const auto open_target = [&](const Deadline& until) {
    auto opened = open_written(report.request, sessions, use, until, rest.hearer());
    not_opened = opened ? std::nullopt : std::optional(opened.error());
    return opened;
  };
  auto shown = std::chrono::steady_clock::now(), noted = shown;
  const auto progress = [&] {
    const auto now = std::chrono::steady_clock::now();
    if (now - shown < show_time) return;
    {
      const std::lock_guard lock(mutex_);
      restoring_[waiting.job] = report;
    }
    shown = now;
    if (now - noted < note_time) return;
    if (const Status kept = keep_report(waiting.job, report); !kept)
      log_warning("backup", "the report of a restore cannot be kept: " + std::string(name_of(kept.error().kind)));
    noted = now;
  };
  Restore restore({parts_.book, parts_.store, open_target, parts_.meaning, memory, &rest});
  const Status status = verifies ? restore.verify(report, deadline) : restore.run(report, progress, deadline);
  report.failure.clear();
  if (status && to_read_back.has_read_without_permit() && found_nothing(report)) report.failure = nothing_found;
  if (status) return std::nullopt;
  const bool is_without_session = not_opened && not_opened->detail == status.error().detail;
  report.failure = is_without_session ? reason_without_target(status.error(), report.request) : reason_of_restore(status.error());
  if (!status.error().is_temporary()) return std::nullopt;
  return BrokenOff{memory->got_on > got_on_before, rest.get(), report.failure};
}

void Backups::end_restore(const WaitingRestore& waiting, RestoreReport report) {
  if (waiting.work == RestoreWork::verify && !report.failure.empty()) report = as_it_was(std::move(report));
  report.before.clear();
  report.is_over = true;
  report.waiting = {};
  report.only_verifies = false;
  if (waiting.work != RestoreWork::verify) {
    count_restore(report);
    const Status told = parts_.permits != nullptr ? parts_.permits->record(report, Deadline::after(row_time)) : done();
    if (!told) log_error("backup", "the ledger does not know the end of a restore: " + std::string(name_of(told.error().kind)));
  }
  const Status written = keep_report(waiting.job, report);
  if (!written)
    log_error("backup", "the report of restore " + waiting.job.text() +
                            " cannot be written: " + std::string(name_of(written.error().kind)));
  log_info("backup", "restore " + waiting.job.text() + ": " + std::to_string(report.count(Outcome::restored)) + " restored, " +
                         std::to_string(report.count(Outcome::differs) + report.count(Outcome::failed)) + " not as they were");
  const std::lock_guard lock(mutex_);
  memories_.erase(waiting.job);
  pauses_.forget(waiting.job);
  written_.erase(written_by(report.request));
  if (written)
    restoring_.erase(waiting.job);
  else
    restoring_[waiting.job] = std::move(report);
}

// Of a mailbox that is gone none is kept.
Status Backups::keep_report(Id job, const RestoreReport& report) {
  const Deadline deadline = Deadline::after(row_time);
  const auto mailbox = parts_.book.mailbox(report.request.mailbox, deadline);
  if (!mailbox) return mailbox.error().is_temporary() ? Status(mailbox.error()) : done();
  return parts_.book.put_restore(mailbox->tenant, job, write_report(report), deadline);
}

// Checked, written down and begun.
Result<Id> Backups::begin_restore(RestoreRequest request, const Deadline& deadline) {
  const std::lock_guard changing(changing_);
  if (is_let_go(request.mailbox) || is_let_go(request.into)) return refused(ErrorKind::not_found, "the mailbox is being removed");
  ASSIGN_OR_RETURN(const Mailbox mailbox, parts_.book.mailbox(request.mailbox, deadline));
  RestoreReport report;
  report.request = std::move(request);
  report.started_at = parts_.clock.now();
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
  waiting_.push_back({job, RestoreWork::begin});
  look_again();
  return job;
}

Result<Backups::MailboxPair> Backups::check_restore(Id from, Id into, const Deadline& deadline) {
  if (from == into) return refused(ErrorKind::invalid_input, "that is the mailbox itself: leave the other one out");
  ASSIGN_OR_RETURN(const Mailbox source, parts_.book.mailbox(from, deadline));
  if (source.synced_at == 0) return refused(ErrorKind::not_found, "nothing was backed up yet");
  if (into.is_none()) {
    if (source.restore_connection.is_none())
      return refused(ErrorKind::invalid_input, "the mailbox has no restore connection: import it once more with one");
    return MailboxPair{source, source};
  }
  ASSIGN_OR_RETURN(const Mailbox target, parts_.book.mailbox(into, deadline));
  if (source.tenant != target.tenant)
    return refused(ErrorKind::denied, "the other mailbox is another tenant's: nothing goes from one tenant to another");
  if (source.kind != target.kind)
    return refused(ErrorKind::invalid_input,
                   "mail goes into a mailbox of kind imap, calendars and contacts into one of kind dav: the other one is " +
                       std::string(mailboxes::name_of(target.kind)));
  if (target.restore_connection.is_none())
    return refused(ErrorKind::invalid_input, "the other mailbox has no restore connection");
  return MailboxPair{source, target};
}

Result<Id> Backups::restore(const std::string& operation, bool dry_run, const FindItems& find, const Deadline& deadline) {
  if (parts_.permits == nullptr) return nobody_allows();
  ASSIGN_OR_RETURN(const RestorePermits::Permit permit, parts_.permits->begin(operation, deadline));
  ASSIGN_OR_RETURN(const MailboxPair pair, check_restore(permit.request.mailbox, permit.request.into, deadline));
  if (pair.from.tenant != permit.tenant) return refused(ErrorKind::denied, "the mailbox is another tenant's");
  if (pair.into.restore_connection != permit.connection)
    return refused(ErrorKind::denied, "the mailbox has another restore connection than the one that was signed for");
  const bool is_into_another = !permit.request.into.is_none();
  if (!is_into_another && !permit.reading.is_none() && pair.from.connection != permit.reading)
    return refused(ErrorKind::denied, "the mailbox is read over another connection than the one that was signed for");
  RestoreRequest request = permit.request;
  request.dry_run = request.dry_run || dry_run;
  if (is_into_another) request.place = place_of(pair.from);
  if (!permit.query.empty()) {
    ASSIGN_OR_RETURN(request.items, find(pair.from, permit.query, request.as_of, deadline));
  }
  return begin_restore(std::move(request), deadline);
}

Status Backups::verify(Id job, const Deadline& deadline) {
  ASSIGN_OR_RETURN(RestoreReport report, restore_report(job, deadline));
  const Error not_now{ErrorKind::denied, "the restore is not over", "the restore is not over, or was a dry run"};
  if (!report.is_over || report.request.dry_run) return not_now;
  if (parts_.permits == nullptr) return nobody_allows();
  // First, so that what is known of the restore stays when its permit counts no more.
  SessionsToReadBack sessions(*parts_.permits, parts_.book, report.request);
  // One that is turned away for now waits instead.
  if (const auto opened = open_written(report.request, sessions, Use::only_reads, deadline);
      !opened && !opened.error().is_temporary())
    return refused(opened.error().kind, reason_without_target(opened.error(), report.request));
  // A server takes its time to let anybody in: meanwhile another reading back may have begun, or ended.
  ASSIGN_OR_RETURN(report, restore_report(job, deadline));
  const std::lock_guard lock(mutex_);
  const auto known = restoring_.find(job);
  if (!report.is_over || (known != restoring_.end() && !known->second.is_over)) return not_now;
  report.not_read_back.clear();
  report.before = write_report(report);
  report.is_over = false;
  report.only_verifies = true;
  restoring_[job] = std::move(report);
  waiting_.push_back({job, RestoreWork::verify});
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
