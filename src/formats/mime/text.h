// Text in mail: characters in any charset to UTF-8, and encoded words (RFC 2047).
// Converters come from ICU's own library data: no file is opened when they are used.
#pragma once

#include <string>
#include <string_view>

namespace mailhold::mime {

// Never fails: what can't be converted becomes U+FFFD; an unknown charset is read as UTF-8 if it is
// valid and as windows-1252 otherwise. Output is at most `bytes_max` long.
std::string to_utf8(std::string_view bytes, std::string_view charset, std::size_t bytes_max = 1u << 20);

// A header value for people: unfolded, encoded words decoded, UTF-8, no control characters, at most `bytes_max`.
std::string decode_header_text(std::string_view value, std::size_t bytes_max = 998);

// Whether the value has what looks like an encoded word, in quotes or not.
bool has_encoded_word(std::string_view value);

// Loads ICU's data now and forbids it to look for files later. Once, before the sandbox closes.
void load_converters();

}  // namespace mailhold::mime
