// TryEnd: the first error of one try of a restore ends all its sessions at once, for a server that wants to be left alone means
// all of them. Internal to this room.
#pragma once

#include <functional>
#include <mutex>
#include <optional>

#include "base/deadline.h"
#include "base/result.h"

namespace mailhold::recover {

class TryEnd {
 public:
  explicit TryEnd(const Deadline& outer)
      : deadline_{outer.at, end_.get_token()}, stopped_(outer.stop, [this] { end_.request_stop(); }) {}

  // Any thread. The first error counts.
  void fail(const Error& error) {
    {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = error;
    }
    end_.request_stop();
  }
  std::optional<Error> failure() {
    const std::lock_guard lock(mutex_);
    return failure_;
  }
  const Deadline& deadline() const { return deadline_; }  // of all its sessions

 private:
  std::stop_source end_;
  const Deadline deadline_;
  std::mutex mutex_;
  std::optional<Error> failure_;
  const std::stop_callback<std::function<void()>> stopped_;
};

}  // namespace mailhold::recover
