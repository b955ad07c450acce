// What an attribute's decoded value leads to. Internal to formats/html.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mailhold::html {

// Without surrounding spaces and control characters and inner tabs and line ends, as URL parsers begin.
std::string clean_url(std::string_view value);

// The absolute http or https URL that a cleaned value leads to; nothing for other schemes, fragments and
// relative values without a base. `base` is empty or what this function gave for <base href>.
std::optional<std::string> web_target(std::string_view cleaned, std::string_view base);

// Where the URL stands in the decoded content of <meta http-equiv=refresh>, HTML Standard 4.2.5.3.
struct ContentSpan {
  std::size_t begin = 0;
  std::size_t end = 0;
};
std::optional<ContentSpan> refresh_url(std::string_view content);

}  // namespace mailhold::html
