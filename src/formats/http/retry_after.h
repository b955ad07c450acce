// Retry-After (RFC 9110 section 10.2.3): for how long a server that has too much to do wants to be left alone. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "base/clock.h"

namespace mailhold::http {

// Of a field's value, counted from `now`: seconds, or what is left until a date (IMF-fixdate, section 5.6.7; the obsolete forms
// are refused). At most `longest`; zero for a date that is over. Nothing if it is neither.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view value, Milliseconds now, std::chrono::seconds longest);

}  // namespace mailhold::http
