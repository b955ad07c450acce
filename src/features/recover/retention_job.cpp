#include "features/recover/retention_job.h"

#include "base/log.h"

namespace mailhold::recover {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds run_time = 4h;
constexpr std::chrono::seconds retry_time = 60s;  // after what may pass by itself: no rules, no keys

}  // namespace

void RetentionJob::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

void RetentionJob::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void RetentionJob::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto expired = retention_.run(Deadline::after(run_time, stop));
    if (expired && expired->versions + expired->contents + expired->mailboxes > 0)
      log_info("backup", "over: " + std::to_string(expired->versions) + " versions, " + std::to_string(expired->contents) +
                             " contents, " + std::to_string(expired->mailboxes) + " mailboxes");
    if (expired && expired->waiting > 0)
      log_warning("backup", std::to_string(expired->waiting) + " contents are over and cannot be taken out of their bundles");
    if (!expired && !expired.error().is_temporary() && expired.error().kind != ErrorKind::cancelled)
      log_error("backup", "retention: " + expired.error().detail);
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, expired ? every_ : std::min(every_, retry_time), [] { return false; });
  }
}

}  // namespace mailhold::recover
