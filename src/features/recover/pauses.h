// Pauses: for how long a server is left alone that turned a job away for now: a sync, a restore, a proof. What the server asks
// for is kept to; where it names no time it is half a minute, and twice as long each time that brought nothing.
#pragma once

#include <atomic>
#include <map>

#include "base/clock.h"
#include "base/id.h"
#include "features/mailboxes/dav/dav_session.h"

namespace mailhold::recover {

inline constexpr std::chrono::seconds pause_first{30};
inline constexpr std::chrono::seconds pause_max = mailboxes::rest_max;  // whoever wants a longer one is asked again

// One thread at a time.
class Pauses {
 public:
  // `longest`: of pauses that no server asked for.
  explicit Pauses(std::chrono::seconds longest) : longest_(std::min(longest, pause_max)) {}

  // After a try of the job that was broken off. `got_on`: it brought something; `rest`: for how long the server wants to be left
  // alone, zero if it did not say. Never below `rest`.
  std::chrono::seconds next(Id job, bool got_on, std::chrono::seconds rest);
  void forget(Id job) { failures_.erase(job); }               // it came to its end
  bool has(Id job) const { return failures_.contains(job); }  // its last try was broken off

 private:
  const std::chrono::seconds longest_;
  std::map<Id, unsigned> failures_;  // tries in a row that brought nothing
};

// The longest rest that the sessions of one try heard their server ask for. Outlives them. Any thread.
class WantedRest {
 public:
  mailboxes::DavSession::HearRest hearer();
  std::chrono::seconds get() const { return std::chrono::seconds(seconds_); }

 private:
  std::atomic<std::chrono::seconds::rep> seconds_ = 0;
};

// Whether a moment that was put down is still to come. One that is further off than any pause is of a clock that was set back.
inline bool is_to_come(Milliseconds moment, Milliseconds now) {
  return moment > now && moment - now <= std::chrono::milliseconds(pause_max).count();
}

}  // namespace mailhold::recover
