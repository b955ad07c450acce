// Clock: the time of day as an argument, so that tests can set it. Deadlines use the
// steady clock and need none of this.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailhold {

// Milliseconds since 1970-01-01T00:00:00Z.
using Milliseconds = std::int64_t;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Milliseconds now() const = 0;
};

// The system's clock. One instance serves all threads.
const Clock& system_clock();

class ManualClock final : public Clock {
 public:
  explicit ManualClock(Milliseconds start) : now_(start) {}
  Milliseconds now() const override { return now_; }
  void set(Milliseconds now) { now_ = now; }
  void advance(Milliseconds by) { now_ += by; }

 private:
  Milliseconds now_;
};

std::string to_iso8601(Milliseconds time);                         // 2026-11-22T15:49:07.123Z
std::optional<Milliseconds> parse_iso8601(std::string_view text);  // as above, or without .123, or a day alone; UTC, from 1970 on
std::string to_rfc5322(Milliseconds time);                         // Sun, 22 Nov 2026 15:49:07 +0000
std::uint32_t day_of(Milliseconds time);                           // days since 1970-01-01, UTC
std::uint32_t hour_of(Milliseconds time);                          // hours since 1970-01-01, UTC

}  // namespace mailhold
