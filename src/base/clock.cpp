#include "base/clock.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace mailhold {
namespace {

class SystemClock final : public Clock {
 public:
  Milliseconds now() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  }
};

std::tm utc(Milliseconds time) {
  const std::time_t seconds = static_cast<std::time_t>(time / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return parts;
}

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

std::string to_iso8601(Milliseconds time) {
  const std::tm parts = utc(time);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, static_cast<int>(time % 1000));
  return text.data();
}

std::optional<Milliseconds> parse_iso8601(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, thousandth = 0, read = 0;
  const std::string copy(text.substr(0, 32));
  const auto is_whole = [&] { return read == static_cast<int>(text.size()); };
  const bool is_moment =
      std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &year, &month, &day, &hour, &minute, &second, &read) == 6;
  const bool is_exact = !(is_moment && is_whole()) && std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &year, &month,
                                                                  &day, &hour, &minute, &second, &thousandth, &read) == 7;
  if (!(is_moment && is_whole()) && !(is_exact && is_whole())) {
    hour = minute = second = thousandth = 0;
    if (std::sscanf(copy.c_str(), "%4d-%2d-%2d%n", &year, &month, &day, &read) != 3 || !is_whole()) return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  const bool is_sound = date.ok() && year >= 1970 && hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 &&
                        second < 60 && thousandth >= 0;
  if (!is_sound) return std::nullopt;
  const std::int64_t seconds =
      std::chrono::sys_days(date).time_since_epoch().count() * 86'400LL + hour * 3'600 + minute * 60 + second;
  return seconds * 1000 + thousandth;
}

std::string to_rfc5322(Milliseconds time) {
  // Not strftime: day and month names must not follow a locale.
  constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::tm parts = utc(time);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d +0000", days[parts.tm_wday], parts.tm_mday,
                months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
  return text.data();
}

std::uint32_t day_of(Milliseconds time) { return static_cast<std::uint32_t>(time / 86'400'000); }
std::uint32_t hour_of(Milliseconds time) { return static_cast<std::uint32_t>(time / 3'600'000); }

}  // namespace mailhold
