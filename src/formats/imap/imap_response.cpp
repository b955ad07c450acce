#include "formats/imap/imap_response.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

#include "base/text.h"

namespace mailhold::imap {
namespace {

constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr Milliseconds in_minute = 60'000;

std::optional<int> digits_of(std::string_view text) {
  const auto number = to_number(text);
  if (!number || *number > 9999) return std::nullopt;
  return static_cast<int>(*number);
}

std::optional<int> parse_zone(std::string_view zone) {
  if (zone.size() != 5 || (zone[0] != '+' && zone[0] != '-')) return std::nullopt;
  const auto hours = digits_of(zone.substr(1, 2));
  const auto minutes = digits_of(zone.substr(3, 2));
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const int total = *hours * 60 + *minutes;
  return zone[0] == '-' ? -total : total;
}

}  // namespace

std::string write_internal_date(const InternalDate& date) {
  using namespace std::chrono;
  const sys_time<milliseconds> local{milliseconds(date.time + date.zone_minutes * in_minute)};
  const auto day = floor<days>(local);
  const year_month_day ymd(day);
  const hh_mm_ss time(floor<seconds>(local - day));
  const int zone = std::abs(date.zone_minutes);
  char text[64];
  std::snprintf(text, sizeof text, "%02u-%s-%04d %02d:%02d:%02d %c%02d%02d", static_cast<unsigned>(ymd.day()),
                std::string(months[static_cast<unsigned>(ymd.month()) - 1]).c_str(), static_cast<int>(ymd.year()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()), date.zone_minutes < 0 ? '-' : '+', zone / 60, zone % 60);
  return text;
}

std::optional<InternalDate> parse_internal_date(std::string_view text) {
  using namespace std::chrono;
  text = trim(text);
  const std::vector<std::string_view> words = split(text, ' ');
  if (words.size() != 3) return std::nullopt;
  const std::vector<std::string_view> date = split(words[0], '-');
  const std::vector<std::string_view> time = split(words[1], ':');
  if (date.size() != 3 || time.size() != 3) return std::nullopt;
  const auto month = std::find_if(months.begin(), months.end(), [&](auto name) { return equals_ignoring_case(name, date[1]); });
  const auto day = digits_of(date[0]), of_year = digits_of(date[2]);
  const auto hour = digits_of(time[0]), minute = digits_of(time[1]), second = digits_of(time[2]);
  const auto zone = parse_zone(words[2]);
  if (month == months.end() || !day || !of_year || !hour || !minute || !second || !zone) return std::nullopt;
  const year_month_day ymd{year(*of_year), std::chrono::month(static_cast<unsigned>(month - months.begin()) + 1),
                           std::chrono::day(static_cast<unsigned>(*day))};
  if (!ymd.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const auto moment = sys_days(ymd) + hours(*hour) + minutes(*minute) + seconds(*second);
  return InternalDate{duration_cast<milliseconds>(moment.time_since_epoch()).count() - *zone * in_minute, *zone};
}

std::optional<std::vector<UidRange>> parse_uid_set(std::string_view text) {
  std::vector<UidRange> ranges;
  for (const std::string_view each : split(text, ',')) {
    const std::size_t colon = each.find(':');
    const auto first = to_number(each.substr(0, colon));
    const auto last = colon == std::string_view::npos ? first : to_number(each.substr(colon + 1));
    if (!first || !last || *first == 0 || *last == 0 || *first > 0xffffffffU || *last > 0xffffffffU) return std::nullopt;
    if (ranges.size() == uid_ranges_max) return std::nullopt;
    ranges.push_back({static_cast<std::uint32_t>(std::min(*first, *last)), static_cast<std::uint32_t>(std::max(*first, *last))});
  }
  return ranges;
}

bool means_later(std::string_view code) {
  constexpr std::string_view codes[] = {"UNAVAILABLE", "INUSE", "LIMIT", "THROTTLED"};
  return std::any_of(std::begin(codes), std::end(codes),
                     [code](std::string_view each) { return equals_ignoring_case(code, each); });
}

std::string write_uid_set(const std::vector<std::uint32_t>& rising) {
  std::string set;
  for (std::size_t i = 0; i < rising.size();) {
    std::size_t end = i;
    while (end + 1 < rising.size() && rising[end + 1] == rising[end] + 1) ++end;
    if (!set.empty()) set += ',';
    set += std::to_string(rising[i]);
    if (end > i) set += ':' + std::to_string(rising[end]);
    i = end + 1;
  }
  return set;
}

}  // namespace mailhold::imap
