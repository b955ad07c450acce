#include "features/gateway/queue/intake.h"

#include "base/log.h"
#include "features/gateway/queue/story.h"

namespace mailhold::queue {
namespace {

constexpr std::size_t backlog_max = 50'000;  // messages the clerk could not commit yet

held::HeldItem held_item(const gateway::AcceptedMessage& head, Milliseconds now) {
  held::HeldItem item{.message = head.message,
                      .tenant = head.tenant,
                      .accepted_at = head.accepted_at,
                      .held_at = now,
                      .held_for = head.held_for,
                      .reasons = {},
                      .mail_from = head.mail_from,
                      .rcpt_to = head.rcpt_to,
                      .client_ip = head.client_ip,
                      .header_from = head.header_from,
                      .subject = head.subject,
                      .size = head.size};
  for (const gateway::ReasonLine& reason : head.reasons) item.reasons.push_back({reason.code, reason.text});
  return item;
}

QueueItem queue_item(const gateway::AcceptedMessage& head, const spool::Location& where) {
  QueueItem item;
  item.message = head.message;
  item.tenant = head.tenant;
  item.accepted_at = item.queued_at = item.next_attempt = head.accepted_at;
  item.where = where;
  item.mail_from = head.mail_from;
  for (const std::string& address : head.rcpt_to) item.recipients.emplace_back().address = address;
  return item;
}

}  // namespace

void Intake::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void Intake::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

void Intake::spooled(segments::Position durable_to) {
  const std::lock_guard lock(mutex_);
  durable_to_ = std::max(durable_to_, durable_to);
  is_hinted_ = true;
  wake_.notify_one();
}

segments::Position Intake::position() const {
  const std::lock_guard lock(mutex_);
  return position_;
}

void Intake::run(const std::stop_token& stop) {
  const Deadline deadline = Deadline::after(std::chrono::seconds(30), stop);
  if (const auto kept = parts_.index.position("kept", deadline)) kept_before_ = *kept;
  if (const auto taken = parts_.index.position("taken", deadline)) taken_before_ = *taken;
  if (const auto segments = parts_.spool.list(); segments && !segments->empty()) {
    static_cast<void>(static_cast<bool>(parts_.index.forget_segments_before(segments->front().number, deadline)));
  }
  bool to_the_end = true;  // nobody has told us yet how far it is durable
  while (!stop.stop_requested()) {
    if (Status scanned = scan(stop, to_the_end); !scanned) {
      log_warning("queue", "the spool cannot be read now: " + std::string(mailhold::name_of(scanned.error().kind)));
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; });
    }
    if (to_the_end && found_again_ > 0) {
      log_info("queue", std::to_string(found_again_) +
                            " messages were under way when the last run ended; they are delivered now, some perhaps again");
      found_again_ = 0;
    }
    std::unique_lock lock(mutex_);
    // Without a hint the spool is read to its end now and then: the hint may have been lost with a restart.
    to_the_end = !wake_.wait_for(lock, stop, parts_.settings.unhinted_scan, [this] { return is_hinted_; });
    is_hinted_ = false;
  }
}

Status Intake::scan(const std::stop_token& stop, bool to_the_end) {
  segments::Position from;
  segments::Position limit;
  {
    const std::lock_guard lock(mutex_);
    from = position_;
    limit = durable_to_;
  }
  Status problem = done();
  bool was_stopped = false;
  const auto visitor = [&](const spool::SpoolEntry& entry) {
    wait_for_room(stop);
    const bool is_durable = to_the_end || entry.location.end() <= limit;
    if (is_durable && !stop.stop_requested() && entry.location.segment != segment_) problem = enter(entry.location.segment);
    if (!is_durable || stop.stop_requested() || !problem || !take(entry)) {
      was_stopped = true;
      return segments::Visit::stop;
    }
    const std::lock_guard lock(mutex_);
    position_ = entry.location.end();
    return segments::Visit::go_on;
  };
  ASSIGN_OR_RETURN(const segments::Position next, parts_.spool.scan(from, visitor));
  if (!was_stopped) {
    const std::lock_guard lock(mutex_);
    position_ = std::max(position_, next);
  }
  // Segments behind us get no more items once a later one has begun.
  if (const auto finished = parts_.spool.finished()) {
    for (const std::uint64_t segment : *finished) {
      if (segment < position().segment) parts_.progress.passed(segment);
    }
  }
  return problem;
}

Status Intake::enter(std::uint64_t segment) {
  ASSIGN_OR_RETURN(settled_places_, parts_.index.settled_places(segment, Deadline::after(std::chrono::seconds(30))));
  segment_ = segment;
  return done();
}

// False: it must be tried again.
bool Intake::take(const spool::SpoolEntry& entry) {
  const bool is_settled = settled_places_.contains(entry.location.offset);
  const bool is_kept = entry.location.end() <= kept_before_;
  if (is_settled && is_kept) {
    parts_.progress.seen(entry.location.segment);
    parts_.progress.settled(entry.location.segment);
    parts_.progress.kept(entry.location.segment);
    return true;
  }
  Result<spool::SpoolItem> item = parts_.spool.read(entry.location);
  if (!item && item.error().is_temporary()) {
    log_warning("queue", "a spooled message cannot be opened now: " + std::string(mailhold::name_of(item.error().kind)));
    return false;
  }
  parts_.progress.seen(entry.location.segment);
  if (item) {
    hand_on(entry, std::move(*item), is_settled, is_kept);
    return true;
  }
  // Damaged, or its tenant was destroyed. What is damaged stays on disk for the operator.
  log_error("queue",
            "spooled message " + entry.message.text() + " does not open: " + std::string(mailhold::name_of(item.error().kind)));
  if (item.error().kind != ErrorKind::not_found) parts_.progress.pin(entry.location.segment);
  parts_.progress.settled(entry.location.segment);
  parts_.progress.kept(entry.location.segment);
  return true;
}

void Intake::hand_on(const spool::SpoolEntry& entry, spool::SpoolItem item, bool is_settled, bool is_kept) {
  Result<gateway::AcceptedMessage> head = gateway::parse_accepted(item.head);
  const bool is_itself = head && head->message == entry.message && head->tenant == entry.tenant && !head->rcpt_to.empty();
  if (!is_itself) {
    log_error("queue", "spooled message " + entry.message.text() + " has no sound head");
    parts_.progress.pin(entry.location.segment);
    parts_.progress.settled(entry.location.segment);
    parts_.progress.kept(entry.location.segment);
    return;
  }
  ++taken_;
  const auto accepted = std::make_shared<const gateway::AcceptedMessage>(std::move(*head));
  const auto body = std::make_shared<const std::string>(std::move(item.body));
  if (accepted->disposition == gateway::Disposition::rejected) {
    if (!is_settled) parts_.clerk.tell(accepted_event(*accepted));
    parts_.progress.kept(entry.location.segment);
  } else if (is_kept) {
    parts_.progress.kept(entry.location.segment);
  } else {
    parts_.keeper.push({entry.tenant, entry.message, entry.location, accepted, body});
  }
  if (is_settled) {
    parts_.progress.settled(entry.location.segment);
    return;
  }
  if (entry.location.end() <= taken_before_) ++found_again_;
  switch (accepted->disposition) {
    case gateway::Disposition::rejected: parts_.clerk.forget(entry.location); return;
    case gateway::Disposition::held:
      parts_.clerk.tell(simple_event(queue_item(*accepted, entry.location), accepted->accepted_at, "held", accepted->held_for));
      parts_.clerk.hold(held_item(*accepted, parts_.clock.now()), entry.location);
      return;
    case gateway::Disposition::deliver: break;
  }
  auto active = std::make_shared<Active>();
  active->item = queue_item(*accepted, entry.location);
  active->body = body;
  parts_.admit(std::move(active));
}

// The store and the index may be slow or away: the spool has room, so it waits there.
void Intake::wait_for_room(const std::stop_token& stop) const {
  while (!stop.stop_requested() && (!parts_.keeper.has_room() || parts_.clerk.backlog() > backlog_max)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace mailhold::queue
