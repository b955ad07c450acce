#include "features/gateway/queue/queue.h"

#include "base/log.h"
#include "features/gateway/queue/story.h"

namespace mailhold::queue {
namespace {

constexpr Milliseconds no_room_pause = 5'000;

Error not_queued(Id message) {
  return {ErrorKind::not_found, "no such queued message: " + message.text(), "no such queued message"};
}

}  // namespace

Queue::Queue(QueueSettings settings, Parts parts)
    : settings_(std::move(settings)),
      parts_(parts),
      routes_(std::make_shared<const Routes>(access::RouteTable{}, settings_.notices)) {}

Queue::~Queue() { stop(std::chrono::milliseconds(0)); }

Result<std::unique_ptr<Queue>> Queue::open(QueueSettings settings, Parts parts, const Deadline& deadline) {
  std::unique_ptr<Queue> queue(new Queue(std::move(settings), parts));
  const std::string& region = queue->settings_.region;
  ASSIGN_OR_RETURN(queue->index_, QueueIndex::open(parts.records, region, parts.keys, deadline));
  ASSIGN_OR_RETURN(queue->held_, held::HeldItems::open(parts.records, region, parts.keys, deadline));
  ASSIGN_OR_RETURN(queue->paused_, queue->index_->paused_routes(deadline));
  Queue& self = *queue;
  self.keeper_ = std::make_unique<Keeper>(parts.store, parts.spool, self.progress_, parts.clock);
  self.clerk_ =
      std::make_unique<Clerk>(Clerk::Parts{.settings = self.settings_,
                                           .records = parts.records,
                                           .index = *self.index_,
                                           .held = *self.held_,
                                           .store = parts.store,
                                           .trace = parts.trace,
                                           .spool = parts.spool,
                                           .progress = self.progress_,
                                           .keeper = *self.keeper_,
                                           .clock = parts.clock,
                                           .taken_to = [&self] { return self.intake_->position(); },
                                           .place = [&self](QueueItem item) { return self.place(std::move(item)); },
                                           .start_due = [&self](const std::vector<RowSummary>& rows) { self.start_due(rows); },
                                           .committed =
                                               [&self](const Active& active) {
                                                 const std::lock_guard lock(self.mutex_);
                                                 self.active_.erase(active.item.message);
                                               },
                                           .load_body = [&self](const QueueItem& item) { return self.load_body(item); }});
  self.delivery_ = std::make_unique<Delivery>(
      self.settings_.delivery, parts.opener, parts.clock, [&self](const QueueItem& item) { return self.load_body(item); },
      [&self](std::shared_ptr<Active> done) { self.clerk_->take(std::move(done)); });
  self.intake_ =
      std::make_unique<Intake>(Intake::Parts{.settings = self.settings_,
                                             .spool = parts.spool,
                                             .index = *self.index_,
                                             .progress = self.progress_,
                                             .keeper = *self.keeper_,
                                             .clerk = *self.clerk_,
                                             .admit = [&self](std::shared_ptr<Active> active) { self.admit(std::move(active)); },
                                             .clock = parts.clock});
  for (const Id& route : self.paused_) self.delivery_->set_paused(route, true);
  return queue;
}

void Queue::start() {
  clerk_->start();
  intake_->start();
}

void Queue::stop(std::chrono::milliseconds patience) {
  if (intake_ != nullptr) intake_->stop();
  if (delivery_ != nullptr) delivery_->stop(patience);
  if (clerk_ != nullptr) clerk_->stop();
}

std::shared_ptr<const Routes> Queue::routes() const {
  const std::lock_guard lock(mutex_);
  return routes_;
}

bool Queue::is_paused(const access::Route* route) const {
  if (route == nullptr) return false;
  const std::lock_guard lock(mutex_);
  return route->paused || paused_.contains(route->id);
}

std::shared_ptr<Active> Queue::active(Id message) const {
  const std::lock_guard lock(mutex_);
  const auto found = active_.find(message);
  return found == active_.end() ? nullptr : found->second;
}

void Queue::set_routes(access::RouteTable table) {
  const auto fresh = std::make_shared<const Routes>(std::move(table), settings_.notices);
  std::shared_ptr<const Routes> old;
  {
    const std::lock_guard lock(mutex_);
    old = std::exchange(routes_, fresh);
    // What is at work and had no route has no row yet that could become due, or one that is about to be written.
    for (const auto& [id, active] : active_) {
      if (old->route_for(active->item) == nullptr) active->is_flushed = true;
    }
  }
  delivery_->set_routes(fresh->table());
  const Deadline deadline = Deadline::after(std::chrono::seconds(30));
  const auto ignore = [](const Status& status) {
    if (!status)
      log_warning("queue", "rows do not follow the new routes yet: " + std::string(mailhold::name_of(status.error().kind)));
  };
  for (const access::Route& route : fresh->table()->routes) {
    const access::Route* before = old->route(route.id);
    const bool was_paused = before != nullptr && before->paused;
    if (route.paused == was_paused) continue;
    delivery_->set_paused(route.id, is_paused(&route));
    ignore(index_->set_waiting(route.id, is_paused(&route), parts_.clock.now(), deadline));
  }
  ignore(index_->set_waiting(Id(), false, parts_.clock.now(), deadline));  // those whose tenant had no route may have one now
  clerk_->look_for_due();
}

// Spool first: the bytes are there until the segment goes, and by then they are in the store.
Result<std::shared_ptr<const std::string>> Queue::load_body(const QueueItem& item) {
  if (item.is_in_spool() && progress_.has(item.where.segment)) {
    Result<spool::SpoolItem> spooled = parts_.spool.read(item.where);
    if (spooled && spooled->message == item.message) return std::make_shared<const std::string>(std::move(spooled->body));
  }
  return load_kept(item.tenant, item.message, Deadline::after(std::chrono::seconds(30)));
}

Status Queue::wait_until_kept(Id tenant, Id message, const Deadline& deadline) {
  while (keeper_->waits(tenant, message)) {
    if (deadline.stop.stop_requested()) return Error{ErrorKind::cancelled, "waiting for the store"};
    if (deadline.left().count() == 0) return Error{ErrorKind::timed_out, "waiting for the store"};
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return done();
}

// The line before the store first: what leaves it is in the store by then.
Result<std::shared_ptr<const std::string>> Queue::load_kept(Id tenant, Id message, const Deadline& deadline) {
  if (auto waiting = keeper_->body_of(tenant, message); waiting || waiting.error().kind != ErrorKind::not_found) return waiting;
  ASSIGN_OR_RETURN(std::string bytes, parts_.store.retrieve(tenant, message, deadline));
  return std::make_shared<const std::string>(std::move(bytes));
}

WaitingItem Queue::place(QueueItem item) const {
  const access::Route* route = routes()->route_for(item);
  return {.item = std::move(item), .route = route == nullptr ? Id() : route->id, .is_waiting = is_paused(route)};
}

// A new message from the spool: on its way at once if its route has room, else a row for later.
void Queue::admit(std::shared_ptr<Active> active) {
  std::shared_ptr<const Routes> routes;
  {
    const std::lock_guard lock(mutex_);  // with the routes of that moment: newer ones find it among those at work
    active_[active->item.message] = active;
    routes = routes_;
  }
  const access::Route* route = routes->route_for(active->item);
  if (route != nullptr && (is_paused(route) || !delivery_->has_room(route->id))) {
    active->is_parked = true;
    clerk_->take(std::move(active));
    return;
  }
  start_or_fail(std::move(active), *routes);
}

void Queue::start_or_fail(std::shared_ptr<Active> active, const Routes& routes) {
  if (const access::Route* route = routes.route_for(active->item)) {
    active->route = route->id;
    delivery_->start(std::move(active), *route);
    return;
  }
  active->started_at = parts_.clock.now();
  ++active->item.attempts;
  for (Recipient& recipient : active->item.recipients) {
    if (!is_open(recipient.state)) continue;
    recipient.state = RecipientState::deferred;
    recipient.status = "4.3.5";
    recipient.diagnostic = "451 4.3.5 no route is set for the tenant";
    recipient.remote.clear();
    recipient.last_attempt = active->started_at;
  }
  clerk_->take(std::move(active));
}

void Queue::start_due(const std::vector<RowSummary>& rows) {
  std::vector<Id> postponed;
  for (const RowSummary& row : rows) {
    if (active(row.message) == nullptr) start_row(row, postponed);
  }
  const Milliseconds until = parts_.clock.now() + no_room_pause;
  static_cast<void>(static_cast<bool>(index_->postpone(postponed, until, Deadline::after(std::chrono::seconds(30)))));
}

void Queue::start_row(const RowSummary& row, std::vector<Id>& postponed) {
  if (!row.route.is_none() && !delivery_->has_room(row.route)) {
    postponed.push_back(row.message);
    return;
  }
  Result<QueueItem> item = index_->load(row.message, Deadline::after(std::chrono::seconds(30)));
  if (!item) {
    if (item.error().kind == ErrorKind::not_found) return;  // gone meanwhile
    postponed.push_back(row.message);
    log_warning("queue", "the row of message " + row.message.text() +
                             " does not open: " + std::string(mailhold::name_of(item.error().kind)));
    return;
  }
  auto active = std::make_shared<Active>();
  active->item = std::move(*item);
  active->has_row = true;
  std::shared_ptr<const Routes> routes;
  {
    const std::lock_guard lock(mutex_);
    if (!active_.emplace(row.message, active).second) return;  // somebody else has it
    routes = routes_;
  }
  const access::Route* route = routes->route_for(active->item);
  if (is_paused(route)) {  // its route changed since the row was written
    active->is_parked = true;
    clerk_->take(std::move(active));
    return;
  }
  start_or_fail(std::move(active), *routes);
}

Result<std::vector<Queue::Entry>> Queue::list(Id tenant, std::size_t limit, const Deadline& deadline) {
  const std::size_t most = std::clamp<std::size_t>(limit, 1, 1000);
  std::vector<Entry> entries;
  std::vector<std::shared_ptr<Active>> at_work;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [message, active] : active_) {
      if (at_work.size() < most && (tenant.is_none() || active->item.tenant == tenant)) at_work.push_back(active);
    }
  }
  for (const std::shared_ptr<Active>& active : at_work) {
    const std::lock_guard lock(active->mutex);
    entries.push_back({active->item, active->route, false, true});
  }
  ASSIGN_OR_RETURN(const std::vector<RowSummary> rows, index_->list(tenant, most, deadline));
  for (const RowSummary& row : rows) {
    if (entries.size() >= most) break;
    if (active(row.message) != nullptr) continue;
    Result<QueueItem> item = index_->load(row.message, deadline);
    if (item) entries.push_back({std::move(*item), row.route, row.is_waiting, false});
  }
  return entries;
}

Result<Queue::Entry> Queue::show(Id message, const Deadline& deadline) {
  if (const std::shared_ptr<Active> found = active(message)) {
    const std::lock_guard lock(found->mutex);
    return Entry{found->item, found->route, false, true};
  }
  ASSIGN_OR_RETURN(QueueItem item, index_->load(message, deadline));
  const WaitingItem placed = place(item);
  return Entry{std::move(item), placed.route, placed.is_waiting, false};
}

std::set<Id> Queue::paused() const {
  const std::lock_guard lock(mutex_);
  return paused_;
}

Status Queue::pause(Id route, const Deadline& deadline) {
  if (routes()->route(route) == nullptr) return Error{ErrorKind::not_found, "no such route: " + route.text(), "no such route"};
  RETURN_IF_ERROR(index_->set_paused(route, true, deadline));
  {
    const std::lock_guard lock(mutex_);
    paused_.insert(route);
  }
  delivery_->set_paused(route, true);
  return index_->set_waiting(route, true, parts_.clock.now(), deadline);
}

Status Queue::resume(Id route, const Deadline& deadline) {
  RETURN_IF_ERROR(index_->set_paused(route, false, deadline));
  {
    const std::lock_guard lock(mutex_);
    paused_.erase(route);
  }
  const access::Route* known = routes()->route(route);
  if (known != nullptr && known->paused)
    return Error{ErrorKind::denied, "the route itself is paused", "the route itself is set to paused: change the route"};
  delivery_->set_paused(route, false);
  RETURN_IF_ERROR(index_->set_waiting(route, false, parts_.clock.now(), deadline));
  delivery_->wake_lanes();
  clerk_->look_for_due();
  return done();
}

// Those at work have no row yet, or one that is about to be written: the clerk makes them due once it is.
void Queue::flush_active(Id tenant, Id message) {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, active] : active_) {
    const bool is_meant = (tenant.is_none() || active->item.tenant == tenant) && (message.is_none() || id == message);
    if (is_meant) active->is_flushed = true;
  }
}

Result<std::uint64_t> Queue::flush(Id tenant, const Deadline& deadline) {
  flush_active(tenant, Id());
  ASSIGN_OR_RETURN(const std::uint64_t count, index_->make_due(tenant, Id(), parts_.clock.now(), deadline));
  delivery_->wake_lanes();
  clerk_->look_for_due();
  return count;
}

Status Queue::requeue(Id message, const Deadline& deadline) {
  const bool is_active = active(message) != nullptr;
  flush_active(Id(), message);
  ASSIGN_OR_RETURN(const std::uint64_t count, index_->make_due(Id(), message, parts_.clock.now(), deadline));
  if (count == 0 && !is_active) return not_queued(message);
  delivery_->wake_lanes();
  clerk_->look_for_due();
  return done();
}

Status Queue::remove(Id message, const Deadline& deadline) {
  if (const std::shared_ptr<Active> found = active(message)) {
    found->is_cancelled = true;  // the clerk writes it down when the attempt under way has ended
    return done();
  }
  ASSIGN_OR_RETURN(QueueItem item, index_->load(message, deadline));
  auto gone = std::make_shared<Active>();
  gone->item = std::move(item);
  gone->has_row = true;
  gone->is_cancelled = true;
  {
    const std::lock_guard lock(mutex_);
    const auto [entry, is_new] = active_.emplace(message, gone);
    if (!is_new) {
      entry->second->is_cancelled = true;
      return done();
    }
  }
  clerk_->take(std::move(gone));
  return done();
}

Status Queue::release(Id message, const std::string& why, const Deadline& deadline) {
  std::vector<WaitingItem> rows;
  RETURN_IF_ERROR(parts_.records.transaction(
      [&](records::Session& session) -> Status {
        ASSIGN_OR_RETURN(held::HeldItem item, held_->take(session, message, deadline));
        QueueItem queued;
        queued.message = item.message;
        queued.tenant = item.tenant;
        queued.accepted_at = item.accepted_at;
        queued.queued_at = queued.next_attempt = parts_.clock.now();  // its life begins now
        queued.mail_from = std::move(item.mail_from);
        for (std::string& address : item.rcpt_to) queued.recipients.emplace_back().address = std::move(address);
        rows = {place(std::move(queued))};
        return index_->write_rows(session, rows, parts_.clock.now(), deadline);
      },
      deadline));
  clerk_->tell(simple_event(rows[0].item, parts_.clock.now(), "released", why));
  clerk_->look_for_due();
  return done();
}

Status Queue::remove_held(Id message, const std::string& why, const Deadline& deadline) {
  QueueItem gone;
  RETURN_IF_ERROR(parts_.records.transaction(
      [&](records::Session& session) -> Status {
        ASSIGN_OR_RETURN(const held::HeldItem item, held_->take(session, message, deadline));
        gone.message = item.message;
        gone.tenant = item.tenant;
        return done();
      },
      deadline));
  clerk_->tell(simple_event(gone, parts_.clock.now(), "deleted", why));
  return done();
}

Result<Queue::Counts> Queue::counts(const Deadline& deadline) {
  Counts counts;
  const Delivery::Counts delivery = delivery_->counts();
  counts.taken = intake_->taken();
  counts.delivered = delivery.messages;
  counts.sessions = delivery.sessions;
  counts.active = delivery.active;
  ASSIGN_OR_RETURN(counts.waiting, index_->count(deadline));
  ASSIGN_OR_RETURN(counts.held, held_->count(deadline));
  counts.to_store = keeper_->waiting();
  counts.to_commit = clerk_->backlog();
  return counts;
}

Result<std::uint64_t> Queue::rows_of_day(Id tenant, std::uint32_t day, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::uint64_t queued, index_->count_of_day(tenant, day, deadline));
  ASSIGN_OR_RETURN(const std::uint64_t held, held_->count_of_day(tenant, day, deadline));
  return queued + held;
}

}  // namespace mailhold::queue
