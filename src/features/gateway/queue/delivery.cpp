#include "features/gateway/queue/delivery.h"

#include <algorithm>
#include <iterator>

#include "base/log.h"
#include "base/text.h"

namespace mailhold::queue {
namespace {

constexpr int turn_messages = 50;  // a thread goes on to another lane after so many
constexpr std::size_t routes_tried_max = 3;

using SteadyTime = std::chrono::steady_clock;

std::string domain_of(const std::string& address) { return to_lower(std::string_view(address).substr(address.rfind('@') + 1)); }

void note(Recipient& recipient, RecipientState state, const smtp::Reply& reply, std::string remote, Milliseconds now) {
  recipient.state = state;
  recipient.status = reply.enhanced;
  recipient.diagnostic =
      (std::to_string(reply.code) + " " + (reply.enhanced.empty() ? "" : reply.enhanced + " ") + reply.text()).substr(0, 500);
  recipient.remote = std::move(remote);
  recipient.last_attempt = now;
}

RecipientState state_of(smtp::RecipientResult result) {
  switch (result) {
    case smtp::RecipientResult::delivered: return RecipientState::delivered;
    case smtp::RecipientResult::failed: return RecipientState::bounced;
    case smtp::RecipientResult::deferred: break;
  }
  return RecipientState::deferred;
}

}  // namespace

Delivery::Delivery(DeliverySettings settings, outbound::Opener& opener, const Clock& clock, LoadBody load_body, Done done)
    : settings_(settings),
      opener_(opener),
      clock_(clock),
      load_body_(std::move(load_body)),
      done_(std::move(done)),
      routes_(std::make_shared<access::RouteTable>()) {}

Delivery::~Delivery() { stop(std::chrono::milliseconds(0)); }

void Delivery::set_routes(std::shared_ptr<const access::RouteTable> routes) {
  const std::lock_guard lock(mutex_);
  routes_ = std::move(routes);
  for (auto& [key, lane] : lanes_) {
    const access::Route* route = routes_->route(key.first);
    if (route == nullptr || lane->route == *route) continue;
    lane->route = *route;
    lane->idle.clear();  // they lead to where the route led before
    lane->rests_until = {};
  }
}

bool Delivery::has_room(Id route) const {
  const std::lock_guard lock(mutex_);
  const auto found = active_of_route_.find(route);
  const std::size_t items = found == active_of_route_.end() ? 0 : found->second;
  return items < settings_.active_items_max && active_bytes_ < settings_.active_bytes_max && !is_stopping_;
}

Delivery::Counts Delivery::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void Delivery::wake_lanes() {
  const std::lock_guard lock(mutex_);
  for (auto& [key, lane] : lanes_) lane->rests_until = {};
}

void Delivery::set_paused(Id route, bool is_paused) {
  std::vector<Job> given_back;
  {
    const std::lock_guard lock(mutex_);
    if (is_paused)
      paused_.insert(route);
    else
      paused_.erase(route);
    for (auto& [key, lane] : lanes_) {
      if (key.first != route) continue;
      if (!is_paused) {
        list_if_runnable(lane);
        continue;
      }
      std::move(lane->jobs.begin(), lane->jobs.end(), std::back_inserter(given_back));
      lane->jobs.clear();
    }
  }
  for (Job& job : given_back) {
    job.active->is_parked = true;
    end(job);
  }
}

void Delivery::start(std::shared_ptr<Active> active, const access::Route& route) {
  ++active->item.attempts;
  active->started_at = clock_.now();
  std::map<std::string, std::vector<std::size_t>> by_domain;  // one lane for all but mx routes
  for (std::size_t i = 0; i < active->item.recipients.size(); ++i) {
    const Recipient& recipient = active->item.recipients[i];
    if (is_open(recipient.state)) by_domain[route.kind == access::RouteKind::mx ? domain_of(recipient.address) : ""].push_back(i);
  }
  if (by_domain.empty()) {
    done_(std::move(active));
    return;
  }
  const std::lock_guard lock(mutex_);
  ++active_of_route_[active->route];
  ++counts_.active;
  if (active->body) active_bytes_ += active->body->size();
  active->jobs_left = static_cast<int>(by_domain.size());
  for (auto& [domain, recipients] : by_domain) push({active, std::move(recipients), {}}, route, domain);
}

// A job for a route that was paused this moment stays in its lane until the route goes on.
void Delivery::push(Job job, const access::Route& route, const std::string& domain) {
  LanePointer& lane = lanes_[{route.id, domain}];
  if (lane == nullptr) {
    lane = std::make_shared<Lane>();
    lane->route = route;
    lane->domain = domain;
  }
  lane->jobs.push_back(std::move(job));
  list_if_runnable(lane);
}

void Delivery::list_if_runnable(const LanePointer& lane) {
  if (lane->is_listed || lane->jobs.empty() || paused_.contains(lane->route.id) ||
      lane->at_work >= static_cast<int>(lane->route.concurrency))
    return;
  lane->is_listed = true;
  runnable_.push_back(lane);
  if (idle_threads_ == 0 && static_cast<int>(threads_.size()) < settings_.threads_max && !is_stopping_) {
    threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  } else {
    wake_.notify_one();
  }
}

void Delivery::work(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested() && !is_stopping_) {
    if (runnable_.empty()) {
      ++idle_threads_;
      wake_.wait_for(lock, std::chrono::seconds(1));
      --idle_threads_;
      if (runnable_.empty() && !is_stopping_) {
        lock.unlock();
        close_old_sessions();
        lock.lock();
      }
      continue;
    }
    const LanePointer lane = std::move(runnable_.front());
    runnable_.pop_front();
    lane->is_listed = false;
    if (lane->jobs.empty() || paused_.contains(lane->route.id)) continue;
    ++lane->at_work;
    list_if_runnable(lane);  // another thread may join in
    lock.unlock();
    serve(lane);
    lock.lock();
    --lane->at_work;
    list_if_runnable(lane);
  }
}

void Delivery::serve(const LanePointer& lane) {
  OpenSession current;
  for (int sent = 0; sent < turn_messages; ++sent) {
    std::unique_lock lock(mutex_);
    if (lane->jobs.empty() || is_stopping_ || paused_.contains(lane->route.id)) break;
    Job job = std::move(lane->jobs.front());
    lane->jobs.pop_front();
    const bool rests = lane->rests_until > SteadyTime::now();
    if (!rests && current.session == nullptr && !lane->idle.empty()) {
      current = std::move(lane->idle.back());
      lane->idle.pop_back();
    }
    lock.unlock();
    if (rests && current.session == nullptr)
      on_no_session(lane, std::move(job));
    else if (!deliver(lane, job, current))
      on_no_session(lane, std::move(job));
  }
  if (current.session != nullptr && current.session->is_open()) {
    current.used = SteadyTime::now();
    const std::lock_guard lock(mutex_);
    lane->idle.push_back(std::move(current));
  }
}

// False: there was no session for the job, and nothing was tried.
bool Delivery::deliver(const LanePointer& lane, Job& job, OpenSession& current) {
  if (job.active->is_cancelled) {
    end(job);
    return true;
  }
  smtp::ClientEnvelope envelope;
  std::shared_ptr<const std::string> body;
  {
    const std::lock_guard lock(job.active->mutex);
    envelope.mail_from = job.active->item.mail_from;
    for (const std::size_t i : job.recipients) envelope.rcpt_to.push_back(job.active->item.recipients[i].address);
    if (job.active->body == nullptr) {
      Result<std::shared_ptr<const std::string>> loaded = load_body_(job.active->item);
      if (loaded) {
        job.active->body = std::move(*loaded);
        const std::lock_guard count_lock(mutex_);
        active_bytes_ += job.active->body->size();
      } else {
        log_warning("queue", "message " + job.active->item.message.text() +
                                 " cannot be read: " + std::string(mailhold::name_of(loaded.error().kind)));
      }
    }
    body = job.active->body;
  }
  if (body == nullptr) {
    fail(job, smtp::reply(451, "4.3.0", "the message cannot be read at the moment"), false);
    return true;
  }
  // A session that was idle may have been closed by the server meanwhile: once more with a new one.
  for (int attempt = 0; attempt < 2; ++attempt) {
    const bool is_fresh = current.session == nullptr || !current.session->is_open();
    if (!make_session(lane, current)) return false;
    const Deadline deadline = Deadline::after(settings_.message_time, break_off_.get_token());
    Result<smtp::SubmissionOutcome> outcome = current.session->deliver(envelope, *body, deadline);
    ++current.messages;
    if (!outcome) {
      fail(job, smtp::reply(550, "5.1.3", outcome.error().detail), true);
      return true;
    }
    if (outcome->is_untried && !is_fresh && attempt == 0) continue;
    record(job, *outcome, current.session->peer());
    return true;
  }
  return true;
}

bool Delivery::make_session(const LanePointer& lane, OpenSession& current) {
  const auto now = SteadyTime::now();
  if (current.session != nullptr) {
    const bool is_worn = current.messages >= settings_.messages_per_session || now - current.opened > settings_.session_life;
    if (current.session->is_open() && !is_worn) return true;
    current.session->close();
    current = {};
  }
  access::Route route;
  {
    const std::lock_guard lock(mutex_);
    route = lane->route;
    ++counts_.sessions;
  }
  outbound::OpenFailure failure;
  const Deadline deadline = Deadline::after(std::chrono::minutes(5), break_off_.get_token());
  Result<std::unique_ptr<outbound::Session>> session = opener_.open(route, lane->domain, failure, deadline);
  const std::lock_guard lock(mutex_);
  if (session) {
    current = {std::move(*session), now, now, 0};
    lane->rests_until = {};
    return true;
  }
  log_info("queue", "route " + route.id.text() + " takes no session: " + std::string(mailhold::name_of(session.error().kind)));
  lane->failure = std::move(failure);
  lane->rests_until = SteadyTime::now() + settings_.rest;
  return false;
}

// To the fail-over route if there is one that was not tried for this job, else deferred (or refused for good).
void Delivery::on_no_session(const LanePointer& lane, Job job) {
  outbound::OpenFailure failure;
  {
    const std::lock_guard lock(mutex_);
    failure = lane->failure;
    const access::Route* next = lane->route.failover.is_none() ? nullptr : routes_->route(lane->route.failover);
    const bool was_tried = next == nullptr || job.tried.size() >= routes_tried_max ||
                           std::find(job.tried.begin(), job.tried.end(), next->id) != job.tried.end();
    const bool may_go = !was_tried && !next->paused && !paused_.contains(next->id) && next->kind != access::RouteKind::mx &&
                        next->tenant == lane->route.tenant;
    if (may_go && !failure.permanent && !is_stopping_) {
      job.tried.push_back(lane->route.id);
      push(std::move(job), *next, "");
      return;
    }
  }
  fail(job, failure.reply, failure.permanent);
}

void Delivery::record(Job& job, const smtp::SubmissionOutcome& outcome, const std::string& peer) {
  const Milliseconds now = clock_.now();
  {
    const std::lock_guard lock(job.active->mutex);
    for (std::size_t i = 0; i < job.recipients.size(); ++i) {
      const smtp::RecipientOutcome& result = outcome.recipients.at(i);
      note(job.active->item.recipients[job.recipients[i]], state_of(result.result), result.reply, peer, now);
    }
  }
  end(job);
}

void Delivery::fail(Job& job, const smtp::Reply& reply, bool is_permanent) {
  const Milliseconds now = clock_.now();
  {
    const std::lock_guard lock(job.active->mutex);
    for (const std::size_t i : job.recipients) {
      note(job.active->item.recipients[i], is_permanent ? RecipientState::bounced : RecipientState::deferred, reply, {}, now);
    }
  }
  end(job);
}

void Delivery::end(Job& job) {
  const std::shared_ptr<Active> active = std::move(job.active);
  if (--active->jobs_left > 0) return;
  {
    const std::lock_guard lock(mutex_);
    ++counts_.messages;
    --counts_.active;
    if (--active_of_route_[active->route] == 0) active_of_route_.erase(active->route);
    if (active->body) active_bytes_ -= std::min(active_bytes_, active->body->size());
  }
  done_(active);
}

void Delivery::close_old_sessions() {
  std::vector<OpenSession> old;
  {
    const std::lock_guard lock(mutex_);
    const auto limit = SteadyTime::now() - settings_.session_idle;
    for (auto entry = lanes_.begin(); entry != lanes_.end();) {
      Lane& lane = *entry->second;
      for (auto session = lane.idle.begin(); session != lane.idle.end();) {
        if (session->used > limit) {
          ++session;
          continue;
        }
        old.push_back(std::move(*session));
        session = lane.idle.erase(session);
      }
      const bool is_unused =
          lane.jobs.empty() && lane.idle.empty() && lane.at_work == 0 && !lane.is_listed && lane.rests_until < SteadyTime::now();
      entry = is_unused ? lanes_.erase(entry) : std::next(entry);
    }
  }
  for (OpenSession& session : old) session.session->close();
}

void Delivery::stop(std::chrono::milliseconds patience) {
  std::vector<std::jthread> threads;
  std::vector<LanePointer> lanes;
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
    threads = std::move(threads_);
    threads_.clear();
    for (auto& [key, lane] : lanes_) lanes.push_back(lane);
    runnable_.clear();
    wake_.notify_all();
  }
  const auto until = SteadyTime::now() + patience;
  for (const LanePointer& lane : lanes) {
    for (;;) {
      {
        const std::lock_guard lock(mutex_);
        if (lane->at_work == 0) break;
      }
      if (SteadyTime::now() >= until) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  break_off_.request_stop();
  threads.clear();  // joins
  const std::lock_guard lock(mutex_);
  for (auto& [key, lane] : lanes_) lane->jobs.clear();  // never started: the spool and the rows still have them
  lanes_.clear();
}

}  // namespace mailhold::queue
