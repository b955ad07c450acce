// Character references ("&amp;", "&#x2f;") in attribute values, HTML Standard 13.2.5.72 to 13.2.5.80.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mailhold::html {

// The value with its references decoded, as UTF-8; other bytes stay. `origins`, when given, receives for each
// decoded byte the offset in `value` of what it came from, and one entry more for the end.
std::string decode_attribute(std::string_view value, std::vector<std::size_t>* origins = nullptr);

}  // namespace mailhold::html
