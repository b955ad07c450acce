// Checks: carries out checks of backups, one at a time, on a thread of its own, until stop(). A check that is not over when the
// process ends is begun anew by whoever wants it: what it found is noted by then. Any thread.
#pragma once

#include <mutex>
#include <thread>

#include "features/recover/check.h"

namespace mailhold::recover {

class Checks {
 public:
  explicit Checks(const Check::Parts& parts) : parts_(parts) {}
  ~Checks() { stop(); }
  void stop();  // a content that is being read is finished first

  // The job. denied while one is under way; unavailable while stopping.
  Result<Id> begin(const CheckRequest& request);
  // As it is by now, of the last one. not_found for another.
  Result<CheckReport> report(Id job);

 private:
  void run(CheckRequest request, const std::stop_token& stop);

  const Check::Parts parts_;
  std::mutex mutex_;
  Id job_;                // guarded by mutex_, as all below
  CheckReport report_{};  // of job_
  bool stopped_ = false;
  std::jthread thread_;
};

}  // namespace mailhold::recover
