#include "features/recover/backups.h"

#include <atomic>

#include "base/log.h"
#include "features/mailboxes/dav/dav_mailbox.h"
#include "features/mailboxes/imap/imap_mailbox.h"
#include "features/recover/backup_metrics.h"
#include "features/recover/failure_reasons.h"

namespace mailhold::recover {
namespace {

using namespace std::chrono_literals;

constexpr auto look_time = 1s;                                            // how soon a due mailbox is seen
constexpr auto under_way = std::chrono::steady_clock::time_point::max();  // a sync that nobody asked for again since it began

}  // namespace

Backups::Backups(BackupSettings settings, Parts parts)
    : settings_(settings),
      parts_(std::move(parts)),
      pauses_(settings.every),
      watches_(settings.watches,
               {[this](const Mailbox& mailbox, const Deadline& deadline) { return open_watch(mailbox, deadline); },
                [this](Id mailbox, std::chrono::seconds time) { read_within(mailbox, time); }}) {}

void Backups::start() {
  watches_.start();
  for (std::size_t i = 0; i < std::max<std::size_t>(settings_.sessions_max, 1); ++i)
    threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
}

void Backups::stop() {
  for (std::jthread& each : threads_) each.request_stop();
  watches_.stop();
  wake_.notify_all();
  threads_.clear();
}

void Backups::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const std::uint64_t asked = [this] {
      const std::lock_guard lock(mutex_);
      return asked_;
    }();
    take_up_restores();
    take_up_watches();
    if (const auto job = next_job()) {
      (*job)(stop);
      continue;
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, look_time, [this, asked] { return asked_ != asked; });
  }
}

std::optional<std::function<void(const std::stop_token&)>> Backups::next_job() {
  const auto mailboxes = parts_.book.mailboxes(Deadline::after(row_time));
  if (mailboxes) take_up_proofs(*mailboxes);
  const std::lock_guard lock(mutex_);
  if (const auto waiting = next_restore())
    return [this, waiting = *waiting](const std::stop_token& stop) { restore_one(waiting, stop); };
  if (!mailboxes) return std::nullopt;  // sealed, or keyd is away
  if (const auto proof = next_proof(*mailboxes))
    return [this, proof = *proof](const std::stop_token& stop) { prove_one(proof, stop); };
  for (const Mailbox& mailbox : *mailboxes) {
    if (mailbox.paused || mailbox.connection.is_none()) continue;  // without one: an import
    // Not while its scratch folders are there: they are no part of the mailbox.
    if (running_.contains(mailbox.id) || is_being_proved(mailbox.id) || let_go_.contains(mailbox.id)) continue;
    if (due(mailbox) > std::chrono::steady_clock::now()) continue;
    running_[mailbox.id] = {};
    due_[mailbox.id] = under_way;
    return [this, mailbox](const std::stop_token& stop) { sync_one(mailbox, stop); };
  }
  return std::nullopt;
}

Result<std::unique_ptr<mailboxes::ScratchTarget>> Backups::open_scratch(const Mailbox& mailbox, const Deadline& deadline,
                                                                        mailboxes::DavSession::HearRest hear_rest) {
  if (mailbox.kind == mailboxes::MailboxKind::dav) {
    const auto dial = [&sessions = parts_.sessions, tenant = mailbox.tenant,
                       connection = mailbox.connection](const Deadline& until) -> Result<std::unique_ptr<net::Stream>> {
      ASSIGN_OR_RETURN(ipc::OwnedFd socket, sessions.open_http(tenant, connection, "backup.prove", until));
      return net::stream_over(socket.release());
    };
    // By GET alone: a REPORT could name items of other collections, so that the purpose does not have it.
    ASSIGN_OR_RETURN(auto opened,
                     mailboxes::DavMailbox::open(dial, {.bytes_at_once = 0, .hear_rest = std::move(hear_rest)}, deadline));
    return std::unique_ptr<mailboxes::ScratchTarget>(std::move(opened));
  }
  ASSIGN_OR_RETURN(ipc::OwnedFd socket, parts_.sessions.open(mailbox.tenant, mailbox.connection, "backup.prove", deadline));
  ASSIGN_OR_RETURN(auto opened, mailboxes::ImapMailbox::open(net::stream_over(socket.release()), true, {}, deadline));
  return std::unique_ptr<mailboxes::ScratchTarget>(std::move(opened));
}

Result<std::unique_ptr<mailboxes::MailboxTarget>> Backups::open(const Mailbox& mailbox, Use use,
                                                                mailboxes::SessionSource& sessions, const Deadline& deadline,
                                                                mailboxes::DavSession::HearRest hear_rest) {
  const Id connection = use == Use::sync ? mailbox.connection : mailbox.restore_connection;
  const std::string purpose = use == Use::sync ? "backup.read" : "restore.write";
  if (mailbox.kind == mailboxes::MailboxKind::dav) {
    // Sessions are opened as they are needed, so that a failure in the middle of a sync says what one at its beginning says.
    const auto dial = [&sessions, tenant = mailbox.tenant, connection,
                       purpose](const Deadline& until) -> Result<std::unique_ptr<net::Stream>> {
      auto socket = sessions.open_http(tenant, connection, purpose, until);
      if (socket) return net::stream_over(socket->release());
      if (!socket.error().is_temporary()) socket.error().for_peer = reason_without_session(socket.error());
      return socket.error();
    };
    auto opened = mailboxes::DavMailbox::open(dial, {.hear_rest = std::move(hear_rest)}, deadline);
    if (opened) return std::unique_ptr<mailboxes::MailboxTarget>(std::move(*opened));
    if (opened.error().for_peer.empty() && !opened.error().is_temporary())
      opened.error().for_peer = reason_of_sync(opened.error());
    return opened.error();
  }
  ASSIGN_OR_RETURN(ipc::OwnedFd socket, sessions.open(mailbox.tenant, connection, purpose, deadline));
  ASSIGN_OR_RETURN(auto opened,
                   mailboxes::ImapMailbox::open(net::stream_over(socket.release()), use == Use::restore, {}, deadline));
  return std::unique_ptr<mailboxes::MailboxTarget>(std::move(opened));
}

// The newest row of a mailbox that is worked on; the one that is known where it cannot be read.
Mailbox Backups::as_it_is_now(const Mailbox& known) {
  auto row = parts_.book.mailbox(known.id, Deadline::after(row_time));
  if (row) return std::move(*row);
  return known;
}

void Backups::sync_one(const Mailbox& planned, const std::stop_token& stop) {
  const Mailbox mailbox = as_it_is_now(planned);  // it may have got another schedule since it was chosen
  const Deadline deadline = Deadline::after(session_time, stop);
  const Milliseconds moment = std::max(parts_.clock.now(), mailbox.synced_at + 1);
  if (mailbox.synced_at == 0) (void)change(mailbox.id, [](Mailbox& row) { row.state = MailboxState::first_sync; }, deadline);
  SyncProgress progress;
  const bool accepts_vanished = [&] {
    const std::lock_guard lock(mutex_);
    return accepting_.erase(mailbox.id) > 0;
  }();
  const auto begun = std::chrono::steady_clock::now();
  WantedRest rest;
  MailboxSync::Sessions sessions(parts_.sessions);
  const auto source = open(mailbox, Use::sync, sessions, deadline, rest.hearer());
  Status status = source ? done() : Status(source.error());
  if (source) {
    const auto open_second = [&](const Deadline& until) { return open(mailbox, Use::sync, sessions, until, rest.hearer()); };
    const auto proof = parts_.book.proof(mailbox, deadline);
    const Id scratch = proof ? proof->scratch : Id();
    const MailboxSync::Parts parts{parts_.book, parts_.store, parts_.keys, **source, open_second, &rest, &sessions, scratch};
    const SyncSettings settings{.accepts_vanished = accepts_vanished};
    MailboxSync sync(parts, mailbox, moment, settings, [&](const SyncProgress& so_far) {
      const std::lock_guard lock(mutex_);
      running_[mailbox.id] = so_far;
    });
    status = sync.run(deadline);
    progress = sync.progress();
  }
  count_sync(progress, std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun),
             static_cast<bool>(status));
  if (!status) log_warning("backup", "mailbox " + mailbox.id.text() + ": " + std::string(name_of(status.error().kind)));
  const std::chrono::seconds wait = wait_after(as_it_is_now(mailbox), status, progress.items_new > 0, rest.get());
  std::string reason = status ? "" : source ? reason_of_sync(status.error()) : reason_without_session(status.error());
  if (!status && status.error().is_temporary()) reason += "; tried again in " + std::to_string(wait.count()) + " s";
  if (!stop.stop_requested()) finish_sync(mailbox.id, moment, status, reason, progress);
  const std::lock_guard lock(mutex_);
  running_.erase(mailbox.id);
  if (!status && accepts_vanished) accepting_.insert(mailbox.id);
  // Whoever asked for another sync meanwhile gets it. A change that a watch saw meanwhile, and another schedule, wait where the
  // server wants to be left alone.
  const auto due = due_.find(mailbox.id);
  const bool was_asked_for = due != due_.end() && due->second == Moment::min();
  const bool is_planned = due == due_.end() || due->second != under_way;
  const bool must_rest = !status && status.error().is_temporary();
  if (must_rest ? !was_asked_for : !is_planned) due_[mailbox.id] = std::chrono::steady_clock::now() + wait;
}

void Backups::finish_sync(Id mailbox, Milliseconds moment, const Status& status, const std::string& reason,
                          const SyncProgress& progress) {
  const Deadline deadline = Deadline::after(row_time);
  std::uint64_t items = 0;
  if (status) {
    const auto row = parts_.book.mailbox(mailbox, deadline);
    const auto folders = row ? parts_.book.folders_as_of(*row, moment, deadline) : Result<std::vector<FolderRow>>(row.error());
    if (folders) {
      for (const FolderRow& folder : *folders) {
        if (const auto counted = parts_.book.count_items(folder.id, moment, deadline)) items += *counted;
      }
    }
  }
  const Status written = change(
      mailbox,
      [&](Mailbox& row) {
        row.tried_at = moment;
        if (!status) {
          row.reason = reason;
          // What may pass by itself keeps the state it had.
          if (!status.error().is_temporary()) row.state = MailboxState::needs_attention;
          return;
        }
        row.synced_at = moment;
        row.items = items;
        row.unreadable = progress.unreadable + progress.unnamed + progress.not_kept;
        row.reason = reason_of_progress(progress);
        row.state = row.reason.empty() ? MailboxState::current : MailboxState::needs_attention;
      },
      deadline);
  if (!written)
    log_error("backup",
              "the state of mailbox " + mailbox.text() + " cannot be written: " + std::string(name_of(written.error().kind)));
}

Result<std::vector<Backups::View>> Backups::list(const Deadline& deadline) {
  ASSIGN_OR_RETURN(std::vector<Mailbox> mailboxes, parts_.book.mailboxes(deadline));
  ASSIGN_OR_RETURN(auto lost, parts_.book.count_lost_items(deadline));
  const std::lock_guard lock(mutex_);  // before the records are read, so that a proof that ends meanwhile is not missed
  std::vector<ProofRecord> proofs;
  for (const Mailbox& mailbox : mailboxes) {
    ASSIGN_OR_RETURN(ProofRecord proof, parts_.book.proof(mailbox, deadline));
    if (!is_to_come(proof.put_off.until, parts_.clock.now())) proof.put_off = {};
    proofs.push_back(std::move(proof));
  }
  std::vector<View> views;
  for (std::size_t i = 0; i < mailboxes.size(); ++i) {
    const auto running = running_.find(mailboxes[i].id);
    const auto proving = proving_.find(mailboxes[i].id);
    const bool only_cleans = std::any_of(proofs_waiting_.begin(), proofs_waiting_.end(), [&](const WaitingProof& each) {
      return each.mailbox == mailboxes[i].id && each.items == 0;
    });
    proofs[i].is_over = proving == proving_.end() || only_cleans;
    if (proving != proving_.end()) proofs[i].job = proving->second;
    const std::uint64_t lost_items = lost[mailboxes[i].id];
    const auto next = next_sync_at(mailboxes[i]);
    std::string watch = watches_.shown(mailboxes[i].id);
    views.push_back({std::move(mailboxes[i]), running == running_.end() ? std::nullopt : std::optional(running->second),
                     std::move(proofs[i]), std::move(watch), next, lost_items});
  }
  return views;
}

// Under mutex_: there is something that a thread at rest has not seen.
void Backups::look_again() {
  ++asked_;
  wake_.notify_all();
}

bool Backups::is_let_go(Id mailbox) {
  const std::lock_guard lock(mutex_);
  return let_go_.contains(mailbox);
}

bool Backups::let_go(Id mailbox) {
  const std::lock_guard lock(changing_);
  const std::lock_guard guard(mutex_);
  const bool is_restored = std::any_of(restoring_.begin(), restoring_.end(), [&](const auto& each) {
    return each.second.request.mailbox == mailbox || each.second.request.into == mailbox;
  });
  if (running_.contains(mailbox) || proving_.contains(mailbox) || is_restored) return false;
  let_go_.insert(mailbox);
  watches_.leave(mailbox);
  return true;
}

Status Backups::sync_soon(Id mailbox, const Deadline& deadline, Vanished vanished) {
  RETURN_IF_ERROR(parts_.book.mailbox(mailbox, deadline));
  const std::lock_guard lock(mutex_);
  if (vanished == Vanished::accepted) accepting_.insert(mailbox);
  due_[mailbox] = Moment::min();
  look_again();
  return done();
}

Status Backups::change(Id mailbox, const std::function<void(Mailbox&)>& change, const Deadline& deadline) {
  const std::lock_guard lock(changing_);
  if (is_let_go(mailbox)) return Error{ErrorKind::not_found, "the mailbox is being removed", "the mailbox is being removed"};
  ASSIGN_OR_RETURN(const Mailbox before, parts_.book.mailbox(mailbox, deadline));
  Mailbox row = before;
  change(row);
  RETURN_IF_ERROR(parts_.book.put_mailbox(row, deadline));
  watches_.want(row);
  plan_anew(before, row);
  return done();
}

Result<Id> Backups::add(Mailbox mailbox, const Deadline& deadline) {
  mailbox.id = Id::random();
  if (mailbox.restore_connection.is_none()) mailbox.restore_connection = mailbox.connection;
  RETURN_IF_ERROR(parts_.book.put_mailbox(mailbox, deadline));
  const std::lock_guard lock(mutex_);
  look_again();
  return mailbox.id;
}

}  // namespace mailhold::recover
