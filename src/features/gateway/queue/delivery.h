// Delivery: sends what is at work now. Each message is cut into jobs, one for each lane: a lane is a route, and for mx
// routes a route and a domain. Lanes keep their sessions open between messages, never have more of them than the route
// allows, and rest for a while when no session can be opened; threads are shared by all lanes and grow with need.
// Nothing is durable here: what came of a message is handed to `done`, and the rest is the clerk's.
//
// Any thread. Design: docs/flows/delivery.md
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/access/route.h"
#include "features/gateway/outbound/opener.h"
#include "features/gateway/queue/queue_item.h"

namespace mailhold::queue {

struct DeliverySettings {
  int threads_max = 64;                               // queue.delivery_threads
  int messages_per_session = 100;                     // queue.session_messages
  std::chrono::milliseconds session_life{300'000};    // queue.session_seconds
  std::chrono::milliseconds session_idle{5'000};      // an idle session is closed after that
  std::chrono::milliseconds rest{30'000};             // queue.rest_seconds: of a lane whose destination takes no session
  std::chrono::milliseconds message_time{1'800'000};  // the most one delivery may take
  std::size_t active_items_max = 20'000;              // queue.active_items_max: of one route, in memory
  std::size_t active_bytes_max = 256U << 20;          // queue.active_bytes_max: bodies of all routes, in memory
};

// A message at work.
struct Active {
  QueueItem item;
  std::shared_ptr<const std::string> body;  // loaded when first needed
  Id route;                                 // its tenant's, or the mx route of notices
  bool has_row = false;
  bool is_parked = false;                 // given back without being tried
  Milliseconds started_at = 0;            // when this attempt began; set by start()
  std::atomic<bool> is_cancelled{false};  // deleted by an administrator meanwhile
  std::atomic<bool> is_flushed{false};    // to be tried again at once should this attempt fail
  std::mutex mutex;                       // guards item.recipients and body while jobs are under way
  std::atomic<int> jobs_left{0};
};

class Delivery {
 public:
  using LoadBody = std::function<Result<std::shared_ptr<const std::string>>(const QueueItem&)>;
  using Done = std::function<void(std::shared_ptr<Active>)>;  // from a delivery thread: keep it short

  Delivery(DeliverySettings settings, outbound::Opener& opener, const Clock& clock, LoadBody load_body, Done done);
  ~Delivery();  // stop()

  void set_routes(std::shared_ptr<const access::RouteTable> routes);
  // Has the route room for another message in memory?
  bool has_room(Id route) const;
  // item.attempts is one more now. Every open recipient gets a job.
  void start(std::shared_ptr<Active> active, const access::Route& route);
  // Lanes that rest try again at once.
  void wake_lanes();
  // A paused route starts nothing; what it had not started yet is handed to `done` as it was.
  void set_paused(Id route, bool is_paused);

  // Lets deliveries under way end for so long, then breaks them off: those are deferred.
  void stop(std::chrono::milliseconds patience);

  struct Counts {
    std::uint64_t messages = 0, sessions = 0, active = 0;
  };
  Counts counts() const;

 private:
  struct Job {
    std::shared_ptr<Active> active;
    std::vector<std::size_t> recipients;  // of the item
    std::vector<Id> tried;                // routes that could not be reached for it
  };
  struct OpenSession {
    std::unique_ptr<outbound::Session> session;
    std::chrono::steady_clock::time_point opened, used;
    int messages = 0;
  };
  struct Lane {
    access::Route route;
    std::string domain;
    std::deque<Job> jobs;
    std::vector<OpenSession> idle;
    int at_work = 0;         // threads
    bool is_listed = false;  // in runnable_
    std::chrono::steady_clock::time_point rests_until{};
    outbound::OpenFailure failure;  // why it rests
  };
  using LanePointer = std::shared_ptr<Lane>;

  void push(Job job, const access::Route& route, const std::string& domain);  // with mutex_ held
  void list_if_runnable(const LanePointer& lane);                             // with mutex_ held
  void work(const std::stop_token& stop);
  void serve(const LanePointer& lane);
  bool deliver(const LanePointer& lane, Job& job, OpenSession& current);
  bool make_session(const LanePointer& lane, OpenSession& current);
  void on_no_session(const LanePointer& lane, Job job);
  void close_old_sessions();
  void record(Job& job, const smtp::SubmissionOutcome& outcome, const std::string& peer);
  void fail(Job& job, const smtp::Reply& reply, bool is_permanent);
  void end(Job& job);

  const DeliverySettings settings_;
  outbound::Opener& opener_;
  const Clock& clock_;
  const LoadBody load_body_;
  const Done done_;
  std::stop_source break_off_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::shared_ptr<const access::RouteTable> routes_;  // guarded by mutex_, like all below
  std::map<std::pair<Id, std::string>, LanePointer> lanes_;
  std::deque<LanePointer> runnable_;
  std::set<Id> paused_;
  std::map<Id, std::size_t> active_of_route_;
  std::size_t active_bytes_ = 0;
  Counts counts_;
  int idle_threads_ = 0;
  bool is_stopping_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace mailhold::queue
