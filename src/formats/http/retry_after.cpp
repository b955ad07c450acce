#include "formats/http/retry_after.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace mailhold::http {
namespace {

using namespace std::chrono;

constexpr std::array<std::string_view, 7> day_names = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> month_names = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// So many digits and nothing else.
std::optional<unsigned> number_at(std::string_view text, std::size_t at, std::size_t digits) {
  const auto number = to_number(text.substr(at, digits));
  return number ? std::optional(static_cast<unsigned>(*number)) : std::nullopt;
}

// "Sun, 06 Nov 1994 08:49:37 GMT": every letter has its place, and the day of the week must be that date's.
std::optional<sys_seconds> parse_date(std::string_view text) {
  constexpr std::string_view form = "___, __ ___ ____ __:__:__ GMT";
  if (text.size() != form.size()) return std::nullopt;
  for (std::size_t i = 0; i < form.size(); ++i) {
    if (form[i] != '_' && text[i] != form[i]) return std::nullopt;
  }
  const auto month_name = std::find(month_names.begin(), month_names.end(), text.substr(8, 3));
  const auto of_month = number_at(text, 5, 2), in_year = number_at(text, 12, 4);
  const auto hour = number_at(text, 17, 2), minute = number_at(text, 20, 2), second = number_at(text, 23, 2);
  if (month_name == month_names.end() || !of_month || !in_year || !hour || !minute || !second) return std::nullopt;
  const year_month_day date{year(static_cast<int>(*in_year)), month(static_cast<unsigned>(month_name - month_names.begin()) + 1),
                            day(*of_month)};
  // A leap second may be told.
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  if (text.substr(0, 3) != day_names[weekday(sys_days(date)).c_encoding()]) return std::nullopt;
  return sys_days(date) + hours(*hour) + minutes(*minute) + seconds(*second);
}

}  // namespace

std::optional<seconds> parse_retry_after(std::string_view value, Milliseconds now, seconds longest) {
  const std::string_view text = trim(value);
  if (const auto wanted = to_number(text)) {
    return seconds(static_cast<seconds::rep>(std::min<std::uint64_t>(*wanted, static_cast<std::uint64_t>(longest.count()))));
  }
  const auto date = parse_date(text);
  if (!date) return std::nullopt;
  // Up to the next whole second, so that nobody asks before the time.
  return std::clamp(ceil<seconds>(date->time_since_epoch() - milliseconds(now)), seconds(0), longest);
}

}  // namespace mailhold::http
