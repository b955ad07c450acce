// Content-Transfer-Encoding: decoders that accept what is sent in the wild and say which leniency it took,
// and the readings that other software would come to. Encoders give the usual form.
//
// RFC 2045 sections 6.7 and 6.8; uuencode as in POSIX.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/mime/span.h"

namespace mailhold::mime {

struct Leniency {
  bool junk = false;  // bytes outside the alphabet
  bool data_after_padding = false;
  bool odd_length = false;      // no whole number of groups, or padding missing
  bool short_lines = false;     // groups broken across lines
  bool illegal_escape = false;  // "=" before neither two hex digits nor a line end
  bool padded_break = false;    // blanks between "=" and the line end
  bool any() const { return junk || data_after_padding || odd_length || short_lines || illegal_escape || padded_break; }
};

struct Decoded {
  std::string bytes;
  Leniency leniency;
};

enum class Base64Reading : std::uint8_t {
  forgiving,        // skips junk; padding ends a group and reading goes on
  until_padding,    // ends at the first padding
  ignores_padding,  // "=" is junk like any other
  padding_is_zero,  // "=" counts as six zero bits
  until_junk,       // ends at the first byte outside the alphabet that is not blank
  whole_lines,      // leaves out lines with bytes outside the alphabet
  by_line,          // every line on its own, whole groups only
  by_group,         // keeps the bits of a group that padding cut short
  url_alphabet,     // "-" and "_" count as well (RFC 4648 section 5)
};

Decoded decode_base64(std::string_view text, Base64Reading reading = Base64Reading::forgiving);

enum class QuotedPrintableReading : std::uint8_t {
  forgiving,        // an illegal "=" stays
  drops_equals,     // an illegal "=" is left out
  drops_escape,     // an illegal "=" and the two bytes behind it are left out
  forces_hex,       // two bytes behind "=" are taken for hex digits whatever they are
  soft_everywhere,  // "=" and blanks vanish up to the line end or the next character
  until_illegal,    // ends at the first illegal "="
  only_escapes,     // blanks, control characters and 8-bit bytes that are not escaped are left out
};

Decoded decode_quoted_printable(std::string_view text, QuotedPrintableReading reading = QuotedPrintableReading::forgiving);

struct UuencodedFile {
  Span place;  // from "begin" to behind "end", or to where it breaks off
  std::string name;
  std::string bytes;
};

// All uuencoded files in a text, at most `files_max`.
std::vector<UuencodedFile> find_uuencoded(std::string_view text, std::size_t files_max = 100);

// Lines of `line_length` characters with the given line end; a final line end only if asked for.
std::string encode_base64_lines(std::string_view bytes, std::size_t line_length, std::string_view line_end, bool final_line_end);

// The data of uuencoded lines that lack their "begin" line.
std::string decode_uuencoded_lines(std::string_view text);

// For inserting into quoted-printable text: everything but letters, digits and "-._~:/?&#%+," escaped; soft line
// breaks so that no line of the insertion is longer than 72, the first assumed to begin at `column`.
std::string encode_quoted_printable_run(std::string_view bytes, std::size_t column, std::string_view line_end);

}  // namespace mailhold::mime
