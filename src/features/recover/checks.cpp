#include "features/recover/checks.h"

#include "base/log.h"

namespace mailhold::recover {
namespace {

using namespace std::chrono_literals;

constexpr auto check_time = 14 * 24h;

// For whoever asked.
std::string reason_of(const Error& error) {
  const std::string why = error.for_peer.empty() ? error.detail : error.for_peer;
  return error.is_temporary() ? why + "; run it again when that has passed" : why;
}

}  // namespace

void Checks::stop() {
  std::jthread thread;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    thread.swap(thread_);
  }
  thread.request_stop();
}

Result<Id> Checks::begin(const CheckRequest& request) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return Error{ErrorKind::unavailable, "stopping"};
  const std::string what = "a check is under way; only one is made at a time";
  if (!job_.is_none() && !report_.is_over) return Error{ErrorKind::denied, what, what};
  job_ = Id::random();
  report_ = {};
  report_.request = request;
  // The last one's has come to its end.
  thread_ = std::jthread([this, request](const std::stop_token& stop) { run(request, stop); });
  return job_;
}

void Checks::run(CheckRequest request, const std::stop_token& stop) {
  Check check(parts_, request, [this](const CheckReport& so_far) {
    const std::lock_guard lock(mutex_);
    report_ = so_far;
  });
  const Status status = check.run(Deadline::after(check_time, stop));
  CheckReport report = check.report();
  report.is_over = true;
  if (!status) report.failure = reason_of(status.error());
  log_info("backup", "check: " + std::to_string(report.contents) + " contents read, " + std::to_string(report.damaged) +
                         " damaged, " + std::to_string(report.unjudged) + " not judged, " + std::to_string(report.rows) +
                         " rows do not open" + (status ? "" : "; it came to no end"));
  const std::lock_guard lock(mutex_);
  report_ = std::move(report);
}

Result<CheckReport> Checks::report(Id job) {
  const std::lock_guard lock(mutex_);
  const std::string what = "no such check: a later one was begun, or workerd ended in the middle of it; begin it again";
  if (job.is_none() || job != job_) return Error{ErrorKind::not_found, what, what};
  return report_;
}

}  // namespace mailhold::recover
