// RetentionJob: runs Retention now and then, on a thread of its own, until stop(). Any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <thread>

#include "features/recover/retention.h"

namespace mailhold::recover {

class RetentionJob {
 public:
  // The retention must outlive it.
  RetentionJob(Retention& retention, std::chrono::seconds every) : retention_(retention), every_(every) {}
  ~RetentionJob() { stop(); }

  void start();
  void stop();  // a step that runs is finished first

 private:
  void work(const std::stop_token& stop);

  Retention& retention_;
  const std::chrono::seconds every_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

}  // namespace mailhold::recover
