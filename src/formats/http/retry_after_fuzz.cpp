#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "formats/http/retry_after.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  return {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "120", "0"};
}

std::vector<std::string> fuzz_words() { return {"Mon, ", " GMT", ":60 ", " Feb ", " 2026 ", "29", "99"}; }

// Whatever is taken for a date is that date and no other: written again it is the same text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold;
  using namespace std::chrono;
  constexpr seconds for_ever = hours(24 * 366 * 10'000);
  constexpr Milliseconds year_0 = -62'167'219'200'000;
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  const auto bounded = http::parse_retry_after(value, 0, minutes(5));
  const auto rest = http::parse_retry_after(value, year_0, for_ever);
  if (bounded.has_value() != rest.has_value()) std::abort();
  if (!rest) return 0;
  if (*bounded < seconds(0) || *bounded > minutes(5) || *rest < seconds(0) || *rest > for_ever) std::abort();
  const std::string_view text = trim(value);
  if (to_number(text)) return 0;
  const std::string written = to_rfc5322(year_0 + duration_cast<milliseconds>(*rest).count());
  const bool is_leap_second = text.substr(23, 2) == "60";
  if (!is_leap_second && written.substr(0, 26) + "GMT" != text) std::abort();
  return 0;
}
