#include "features/gateway/queue/keeper.h"

#include <algorithm>

#include "base/log.h"
#include "features/gateway/queue/story.h"

namespace mailhold::queue {
namespace {

constexpr std::size_t waiting_bytes_max = 128U << 20;
constexpr std::size_t batch_items = 512;
constexpr std::size_t batch_bytes = 16U << 20;

store::NewMessage new_message(const Arrival& arrival, Milliseconds now) {
  store::NewMessage message{
      .tenant = arrival.head->tenant, .message = arrival.head->message, .kept_since = now, .bytes = *arrival.body, .bodies = {}};
  for (const gateway::BodySpan& span : arrival.head->layout) {
    message.bodies.push_back({span.offset, span.length, store::BodyEncoding::base64});
  }
  return message;
}

}  // namespace

void Keeper::push(Arrival arrival) {
  const std::lock_guard lock(mutex_);
  if (arrival.body != nullptr && waiting_bytes_ + arrival.body->size() > waiting_bytes_max) {
    arrival.head = nullptr;
    arrival.body = nullptr;
  }
  if (arrival.body != nullptr) waiting_bytes_ += arrival.body->size();
  waiting_.push_back(std::move(arrival));
}

bool Keeper::has_room() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size() < waiting_max;
}

std::size_t Keeper::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

bool Keeper::has_full_batch() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size() >= batch_items || waiting_bytes_ >= batch_bytes;
}

segments::Position Keeper::kept_to() const {
  const std::lock_guard lock(mutex_);
  return kept_to_;
}

Result<std::shared_ptr<const std::string>> Keeper::body_of(Id tenant, Id message) const {
  spool::Location where;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                    [&](const Arrival& each) { return each.message == message && each.tenant == tenant; });
    if (found == waiting_.end()) return Error{ErrorKind::not_found, "message " + message.text() + " does not wait to be kept"};
    if (found->body != nullptr) return found->body;
    where = found->where;
  }
  ASSIGN_OR_RETURN(spool::SpoolItem item, spool_.read(where));
  return std::make_shared<const std::string>(std::move(item.body));
}

// Copies of the first ones: they leave the line when they are kept.
std::vector<Arrival> Keeper::next_batch() {
  const std::lock_guard lock(mutex_);
  std::vector<Arrival> batch;
  std::size_t bytes = 0;
  for (const Arrival& arrival : waiting_) {
    if (batch.size() >= batch_items || bytes > batch_bytes) break;
    bytes += arrival.body != nullptr ? arrival.body->size() : arrival.where.length;
    batch.push_back(arrival);
  }
  return batch;
}

Status Keeper::read_again(Arrival& arrival) {
  ASSIGN_OR_RETURN(spool::SpoolItem item, spool_.read(arrival.where));
  ASSIGN_OR_RETURN(gateway::AcceptedMessage head, gateway::parse_accepted(item.head));
  arrival.head = std::make_shared<const gateway::AcceptedMessage>(std::move(head));
  arrival.body = std::make_shared<const std::string>(std::move(item.body));
  return done();
}

Status Keeper::keep(std::vector<Arrival>& batch, const Deadline& deadline) {
  const Milliseconds now = clock_.now();
  std::vector<store::NewMessage> messages;
  for (const Arrival& arrival : batch) {
    if (arrival.body != nullptr) messages.push_back(new_message(arrival, now));
  }
  if (messages.empty()) return done();
  ASSIGN_OR_RETURN([[maybe_unused]] const std::vector<store::Kept> kept, store_.keep(messages, deadline));
  return done();
}

// One of them cannot be kept, whatever is tried: it must not stand in the way of the others. Its segment stays.
void Keeper::keep_one_by_one(std::vector<Arrival>& batch, const Deadline& deadline) {
  for (Arrival& arrival : batch) {
    std::vector<Arrival> alone{arrival};
    const Status kept = keep(alone, deadline);
    if (kept || kept.error().is_temporary()) continue;
    log_error("queue",
              "the store refuses message " + arrival.head->message.text() + ": " + std::string(name_of(kept.error().kind)));
    progress_.pin(arrival.where.segment);
    arrival.body = nullptr;
  }
}

Result<std::vector<store::TraceEvent>> Keeper::keep_some(const Deadline& deadline) {
  std::vector<Arrival> batch = next_batch();
  for (Arrival& arrival : batch) {
    if (arrival.body != nullptr) continue;
    const Status read = read_again(arrival);
    if (!read && read.error().is_temporary()) return read.error();
    if (!read) progress_.pin(arrival.where.segment);  // logged when it was found
  }
  Status kept = keep(batch, deadline);
  if (!kept && !kept.error().is_temporary()) {
    keep_one_by_one(batch, deadline);
    kept = keep(batch, deadline);  // those that could be kept are, so this is harmless
  }
  RETURN_IF_ERROR(std::move(kept));

  std::vector<store::TraceEvent> events;
  const Milliseconds now = clock_.now();
  for (const Arrival& arrival : batch) {
    if (arrival.head == nullptr) continue;
    events.push_back(accepted_event(*arrival.head));
    if (arrival.body == nullptr) continue;
    QueueItem item;
    item.tenant = arrival.head->tenant;
    item.message = arrival.head->message;
    events.push_back(simple_event(item, now, "stored"));
  }
  const std::lock_guard lock(mutex_);
  for (const Arrival& arrival : batch) {
    progress_.kept(arrival.where.segment);
    kept_to_ = arrival.where.end();
    if (waiting_.front().body != nullptr) waiting_bytes_ -= waiting_.front().body->size();
    waiting_.pop_front();
  }
  return events;
}

}  // namespace mailhold::queue
