// UTF-8 as text forms need it: well-formedness and writing code points.
#pragma once

#include <string>
#include <string_view>

namespace mailhold {

bool is_utf8(std::string_view bytes);                     // well-formed by Unicode table 3-7: no surrogates, no overlong forms
void append_utf8(std::string& out, char32_t code_point);  // U+FFFD for surrogates and above U+10FFFF
std::string utf8_from_latin1(std::string_view bytes);     // each byte is the code point of its value
// The next code point at `position`, which moves behind it; a byte that begins none gives U+FFFD and moves by one.
char32_t next_code_point(std::string_view utf8, std::size_t& position);

}  // namespace mailhold
