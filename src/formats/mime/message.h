// Message: the structure of a message as offsets into its bytes: fields, parts, bodies. Parsing takes one pass
// over the lines and time linear in the size whatever the nesting; limits end it early.
// What is irregular is collected as oddities (oddity.h). Decoding is in transfer.h and text.h.
//
// Grammar: RFC 5322, RFC 2045, RFC 2046. A Message keeps no view of the bytes: pass the same
// bytes to the functions that ask for them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/mime/oddity.h"
#include "formats/mime/span.h"

namespace mailhold::mime {

struct Field {
  Span whole;  // all its lines with the last line end
  Span name;
  Span value;  // from behind the colon to before the last line end, still folded
};

enum class Encoding : std::uint8_t { identity, base64, quoted_printable, uuencode, unknown };

inline constexpr std::int32_t no_part = -1;

struct Part {
  Span header;  // the lines of the fields, without the empty line
  Span body;    // as sent; the line end before a delimiter belongs to the delimiter (RFC 2046 section 5.1.1)
  std::uint32_t first_field = 0, field_count = 0;
  std::int32_t parent = no_part, first_child = no_part, last_child = no_part, next_sibling = no_part;
  std::uint32_t depth = 0;

  std::string type;      // "text/plain", lower case; the default where none is given or it is unreadable
  std::string boundary;  // of a multipart
  Span boundary_span;    // where the header states it, if it stands there in one piece and unescaped
  Encoding encoding = Encoding::identity;
  bool has_type = false;           // a Content-Type field is present
  bool doubtful_encoding = false;  // readers may decode this leaf differently: look at all decodings

  bool is_multipart() const { return type.starts_with("multipart/"); }
  bool is_message() const { return type == "message/rfc822" || type == "message/global"; }
  bool is_text() const { return type.starts_with("text/"); }
  bool is_leaf() const { return first_child == no_part && !is_multipart(); }
};

struct ParseLimits {
  std::size_t parts_max = 2000;
  std::size_t depth_max = 50;
  std::size_t fields_max = 20000;
};

struct Message {
  std::vector<Part> parts;    // in the order of the bytes; parts[0] is the message itself
  std::vector<Field> fields;  // of all parts; each part owns a run of them
  Oddities oddities;

  // The first field of that name in the part, or none. The name in any case.
  const Field* find(std::string_view bytes, const Part& part, std::string_view name) const;
  std::vector<const Field*> find_all(std::string_view bytes, const Part& part, std::string_view name) const;
};

Message parse(std::string_view bytes, const ParseLimits& limits = {});

// A field value on one line: line ends removed (RFC 5322 section 2.2.3), surrounding space trimmed.
std::string unfold(std::string_view value);

}  // namespace mailhold::mime
