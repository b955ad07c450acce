#include "features/recover/pauses.h"

namespace mailhold::recover {

std::chrono::seconds Pauses::next(Id job, bool got_on, std::chrono::seconds rest) {
  constexpr unsigned doublings_max = 10;
  unsigned& failures = failures_[job];
  const unsigned before = got_on ? 0 : std::min(failures, doublings_max);
  failures = before + 1;
  return std::max(rest, std::min(pause_first * (1U << before), longest_));
}

mailboxes::DavSession::HearRest WantedRest::hearer() {
  return [this](std::chrono::seconds rest) {
    auto longest = seconds_.load();
    while (rest.count() > longest && !seconds_.compare_exchange_weak(longest, rest.count())) {
    }
  };
}

}  // namespace mailhold::recover
