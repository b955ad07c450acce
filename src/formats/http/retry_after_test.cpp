#include "formats/http/retry_after.h"

#include <gtest/gtest.h>

namespace mailhold::http {
namespace {

using namespace std::chrono_literals;

constexpr Milliseconds now = 784'111'777'000;  // Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110 section 5.6.7

TEST(RetryAfter, is_seconds_or_a_date_and_bounded) {
  const struct {
    const char* value;
    std::optional<std::chrono::seconds> rest;
  } cases[] = {
      {"120", 120s},
      {" 0 ", 0s},
      {"99999999999999", 3600s},
      {"Sun, 06 Nov 1994 08:51:37 GMT", 120s},
      {"Sun, 06 Nov 1994 08:49:37 GMT", 0s},
      {"Sat, 05 Nov 1994 08:49:37 GMT", 0s},
      {"Sun, 06 Nov 1994 08:49:60 GMT", 23s},
      {"Fri, 29 Feb 2096 00:00:00 GMT", std::nullopt},  // a Wednesday
      {"Wed, 29 Feb 2096 00:00:00 GMT", 3600s},
      {"", std::nullopt},
      {"-5", std::nullopt},
      {"1.5", std::nullopt},
      {"99999999999999999999999", std::nullopt},
      {"Sunday, 06-Nov-94 08:51:37 GMT", std::nullopt},
      {"Sun Nov  6 08:51:37 1994", std::nullopt},
      {"sun, 06 nov 1994 08:51:37 gmt", std::nullopt},
      {"Sun, 06 Nov 1994 08:51:37 UTC", std::nullopt},
      {"Sun, 06 Nov 1994 08:51:37 GMT x", std::nullopt},
      {"Sun, 6 Nov 1994 08:51:37 GMT", std::nullopt},
      {"Sun, +6 Nov 1994 08:51:37 GMT", std::nullopt},
      {"Tue, 29 Feb 1994 08:51:37 GMT", std::nullopt},
      {"Sun, 06 Nov 1994 24:00:00 GMT", std::nullopt},
      {"Sun, 06 Nov 1994 08:60:00 GMT", std::nullopt},
      {"Sun, 06 Nov 1994 08:51:61 GMT", std::nullopt},
  };
  for (const auto& each : cases) EXPECT_EQ(parse_retry_after(each.value, now, 3600s), each.rest) << each.value;
}

TEST(RetryAfter, nobody_asks_before_the_time_that_was_named) {
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:38 GMT", now + 1, 3600s), 1s);
}

}  // namespace
}  // namespace mailhold::http
