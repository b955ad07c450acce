#include "features/gateway/queue/clerk.h"

#include "base/log.h"
#include "features/gateway/queue/story.h"

namespace mailhold::queue {
namespace {

constexpr std::size_t batch_items_max = 4000;
constexpr std::size_t due_items_max = 500;
constexpr std::size_t untold_events_max = 100'000;
constexpr Milliseconds tidy_pause = 1'000;
constexpr std::size_t expire_held_max = 100;

Deadline soon() { return Deadline::after(std::chrono::seconds(30)); }

}  // namespace

void Clerk::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void Clerk::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  wake_.notify_all();
  thread_.join();
}

void Clerk::take(std::shared_ptr<Active> done) {
  const std::lock_guard lock(mutex_);
  done_.push_back(std::move(done));
  wake_.notify_one();
}

void Clerk::hold(held::HeldItem item, segments::Location where) {
  const std::lock_guard lock(mutex_);
  to_hold_.emplace_back(std::move(item), where);
  wake_.notify_one();
}

void Clerk::forget(segments::Location where) {
  const std::lock_guard lock(mutex_);
  to_forget_.push_back(where);
}

void Clerk::tell(store::TraceEvent event) {
  const std::lock_guard lock(mutex_);
  events_.push_back(std::move(event));
}

std::size_t Clerk::backlog() const {
  const std::lock_guard lock(mutex_);
  return done_.size() + to_hold_.size() + to_forget_.size();
}

void Clerk::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto began = std::chrono::steady_clock::now();
    gather();
    const bool went_well = commit_batch();
    keep_arrivals();
    tell_trace();
    start_due();
    tidy();
    if (!went_well) std::this_thread::sleep_for(std::chrono::milliseconds(500));
    std::this_thread::sleep_until(began + parts_.settings.commit_pause);
    std::unique_lock lock(mutex_);
    if (done_.empty() && to_hold_.empty() && to_forget_.empty() && parts_.keeper.waiting() == 0 && !poked_ &&
        !stop.stop_requested()) {
      wake_.wait_for(lock, std::min<std::chrono::milliseconds>(parts_.settings.due_pause, std::chrono::milliseconds(100)));
    }
  }
  gather();
  static_cast<void>(commit_batch());
  tell_trace();
}

// A batch that could not be committed is tried again before anything is added to it.
void Clerk::gather() {
  if (!batch_.is_empty()) return;
  std::vector<std::shared_ptr<Active>> done;
  {
    const std::lock_guard lock(mutex_);
    const auto end = done_.begin() + static_cast<std::ptrdiff_t>(std::min(done_.size(), batch_items_max));
    done.assign(std::make_move_iterator(done_.begin()), std::make_move_iterator(end));
    done_.erase(done_.begin(), end);
    for (auto& [item, where] : to_hold_) {
      batch_.held.push_back(std::move(item));
      batch_.finished.push_back(where.position());
      batch_.segments_settled.push_back(where.segment);
    }
    for (const segments::Location& where : to_forget_) {
      batch_.finished.push_back(where.position());
      batch_.segments_settled.push_back(where.segment);
    }
    to_hold_.clear();
    to_forget_.clear();
    std::move(events_.begin(), events_.end(), std::back_inserter(to_tell_));
    events_.clear();
  }
  for (const std::shared_ptr<Active>& active : done) settle_into_batch(active);
}

void Clerk::settle_into_batch(const std::shared_ptr<Active>& active) {
  QueueItem& item = active->item;
  const Milliseconds now = parts_.clock.now();
  if (active->is_cancelled) {
    for (Recipient& recipient : item.recipients) {
      if (is_open(recipient.state)) recipient.state = RecipientState::deleted;
    }
    to_tell_.push_back(simple_event(item, now, "deleted"));
  }
  const Due due = settle(item, now, parts_.settings.schedule);
  if (active->is_parked) item.next_attempt = now;  // it was not tried: as soon as there is room
  for (const Recipient& recipient : item.recipients) {
    const bool is_news = recipient.last_attempt != 0 && recipient.last_attempt >= active->started_at;
    if (is_news && recipient.state != RecipientState::queued && recipient.state != RecipientState::deleted) {
      to_tell_.push_back(attempt_event(item, recipient));
    }
  }
  if (!due.failed.empty()) add_notice(*active, due.failed, dsn::Action::failed);
  if (!due.delayed.empty()) add_notice(*active, due.delayed, dsn::Action::delayed);
  if (!item.is_finished()) {
    batch_.rows.push_back(parts_.place(item));
  } else {
    if (active->has_row) batch_.removed.push_back(item.message);
    if (item.is_in_spool() && parts_.progress.has(item.where.segment)) batch_.finished.push_back(item.where.position());
  }
  if (item.is_in_spool() && !active->has_row) batch_.segments_settled.push_back(item.where.segment);
  batch_.actives.push_back(active);
}

// A notice is a message of its own: kept in the store and queued with the same commit that ends its cause, so that it is
// made exactly once. It goes out with the null sender and is never answered by another.
void Clerk::add_notice(const Active& active, std::vector<dsn::Recipient> recipients, dsn::Action action) {
  const QueueItem& item = active.item;
  if (item.is_notice || item.mail_from.empty()) return;
  std::shared_ptr<const std::string> original = active.body;
  if (original == nullptr) {
    if (auto loaded = parts_.load_body(item)) original = std::move(*loaded);
  }
  const std::string_view bytes = original == nullptr ? std::string_view() : std::string_view(*original);
  if (dsn::must_not_notify(item.mail_from, bytes)) return;
  const Milliseconds now = parts_.clock.now();
  Notice notice;
  notice.item.message = Id::random();
  notice.item.tenant = item.tenant;
  notice.item.accepted_at = notice.item.queued_at = notice.item.next_attempt = now;
  notice.item.recipients.resize(1);
  notice.item.recipients[0].address = item.mail_from;
  notice.item.is_notice = true;
  notice.bytes = dsn::write_notice({.action = action,
                                    .reporting_mta = parts_.settings.our_name,
                                    .message_id = notice.item.message.text() + "@" + parts_.settings.our_name,
                                    .original_sender = item.mail_from,
                                    .queue_id = item.message.text(),
                                    .envelope_id = {},
                                    .arrived_at = item.accepted_at,
                                    .written_at = now,
                                    .will_retry_until = item.queued_at + parts_.settings.schedule.life,
                                    .recipients = std::move(recipients),
                                    .original = bytes});
  to_tell_.push_back(
      simple_event(item, now, "notice",
                   std::string(action == dsn::Action::failed ? "failure" : "delay") + " notice " + notice.item.message.text()));
  batch_.rows.push_back(parts_.place(notice.item));
  batch_.notices.push_back(std::move(notice));
}

Status Clerk::write_batch(records::Session& session, const Deadline& deadline) {
  RETURN_IF_ERROR(parts_.index.write_rows(session, batch_.rows, parts_.clock.now(), deadline));
  RETURN_IF_ERROR(parts_.index.remove_rows(session, batch_.removed, deadline));
  RETURN_IF_ERROR(parts_.index.add_finished(session, batch_.finished, deadline));
  for (const held::HeldItem& item : batch_.held) RETURN_IF_ERROR(parts_.held.add(session, item, deadline));
  RETURN_IF_ERROR(parts_.index.set_position(session, "taken", parts_.taken_to(), deadline));
  return parts_.index.set_position(session, "kept", parts_.keeper.kept_to(), deadline);
}

bool Clerk::commit_batch() {
  if (batch_.is_empty()) return true;
  const Deadline deadline = soon();
  tell_trace();  // before the commit: a delivery that is repeated after a crash shows as two
  Status committed = done();
  if (!batch_.notices.empty() && !batch_.are_notices_kept) {
    std::vector<store::NewMessage> messages;
    const Milliseconds now = parts_.clock.now();
    for (const Notice& notice : batch_.notices) {
      messages.push_back(
          {.tenant = notice.item.tenant, .message = notice.item.message, .kept_since = now, .bytes = notice.bytes, .bodies = {}});
    }
    const auto kept = parts_.store.keep(messages, deadline);
    if (!kept) committed = kept.error();
    batch_.are_notices_kept = static_cast<bool>(kept);
  }
  if (committed) {
    committed = parts_.records.transaction([&](records::Session& session) { return write_batch(session, deadline); }, deadline);
  }
  if (!committed) {
    log_error("queue", "cannot commit " + std::to_string(batch_.actives.size()) +
                           " messages: " + std::string(mailhold::name_of(committed.error().kind)));
    return false;
  }
  for (const std::uint64_t segment : batch_.segments_settled) parts_.progress.settled(segment);
  for (const std::shared_ptr<Active>& active : batch_.actives) parts_.committed(*active);
  make_flushed_due(deadline);
  if (!batch_.notices.empty()) poked_ = true;
  batch_ = {};
  return true;
}

// What was flushed while its attempt was under way: its row has only now been written.
void Clerk::make_flushed_due(const Deadline& deadline) {
  for (const std::shared_ptr<Active>& active : batch_.actives) {
    if (!active->is_flushed || active->item.is_finished()) continue;
    const auto count = parts_.index.make_due(Id(), active->item.message, parts_.clock.now(), deadline);
    if (!count) log_warning("queue", "message " + active->item.message.text() + " is not flushed: it waits for its next attempt");
    poked_ = true;
  }
}

// The store is in no hurry, and each of its batches flushes the disk three times, which accepting would have to wait for.
void Clerk::keep_arrivals() {
  const auto now = std::chrono::steady_clock::now();
  if (now - kept_ < parts_.settings.keep_pause && !parts_.keeper.has_full_batch()) return;
  kept_ = now;
  if (Result<std::vector<store::TraceEvent>> events = parts_.keeper.keep_some(soon()); events) {
    std::move(events->begin(), events->end(), std::back_inserter(to_tell_));
  } else {
    log_warning("queue", "the store keeps nothing now: " + std::string(mailhold::name_of(events.error().kind)));
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

void Clerk::tell_trace() {
  if (to_tell_.empty()) return;
  const Status told = parts_.trace.append(to_tell_, soon());
  if (told || to_tell_.size() > untold_events_max) {
    if (!told) log_error("queue", "the trace lost " + std::to_string(to_tell_.size()) + " events");
    to_tell_.clear();
  }
}

void Clerk::start_due() {
  const Milliseconds now = parts_.clock.now();
  const bool was_poked = poked_.exchange(false);
  if (!was_poked && now - looked_for_due_ < parts_.settings.due_pause.count() && now >= looked_for_due_) return;
  looked_for_due_ = now;
  const Result<std::vector<RowSummary>> due = parts_.index.due(now, due_items_max, soon());
  if (due && !due->empty()) parts_.start_due(*due);
}

void Clerk::tidy() {
  const Milliseconds now = parts_.clock.now();
  if (now - tidied_ < tidy_pause && now >= tidied_) return;
  tidied_ = now;
  for (const std::uint64_t segment : parts_.progress.removable()) {
    if (!parts_.spool.remove(segment)) continue;
    static_cast<void>(static_cast<bool>(parts_.records.transaction(
        [&](records::Session& session) { return parts_.index.forget_segment(session, segment, soon()); }, soon())));
    parts_.progress.removed(segment);
  }
  const auto old = parts_.held.held_before(now - parts_.settings.held_life, expire_held_max, soon());
  if (!old) return;
  for (const Id& message : *old) {
    std::optional<held::HeldItem> gone;
    const Status taken = parts_.records.transaction(
        [&](records::Session& session) -> Status {
          ASSIGN_OR_RETURN(gone, parts_.held.take(session, message, soon()));
          return done();
        },
        soon());
    if (!taken || !gone) continue;
    QueueItem item;
    item.tenant = gone->tenant;
    item.message = message;
    to_tell_.push_back(simple_event(item, now, "expired", "nobody decided about the held message in time"));
  }
}

}  // namespace mailhold::queue
