// The grammar that Content-Type and Content-Disposition share (RFC 2045 section 5.1, RFC 2183),
// with the extended parameters of RFC 2231. Reads leniently and says where it had to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/mime/span.h"

namespace mailhold::mime {

struct Parameter {
  std::string name;   // lower case, as written: "filename*0*"
  std::string value;  // quotes and escapes undone, RFC 2231 not yet
  Span place;         // of the value in the field value; empty length if it was escaped
  bool quoted = false;
};

struct ParameterizedValue {
  std::string value;  // "text/html", "attachment"; lower case
  std::vector<Parameter> parameters;

  // Where the value leaves the grammar.
  bool syntax = false;  // anything not listed below
  bool comment = false;
  bool encoded_word = false;
  bool spaced_equals = false;
  bool escaped = false;           // a backslash in a quoted string
  bool unquoted_special = false;  // a value that needed quotes and had none; common and harmless
  bool control = false;

  const Parameter* find(std::string_view name) const;  // exactly that name, the first
};

ParameterizedValue parse_parameters(std::string_view field_value);

// All values that readers could take for the parameter, decoded to UTF-8 and without doubles: plain, RFC 2231
// extended and continued, RFC 2047 inside quotes. The best one first; empty if there is none.
std::vector<std::string> readings_of(const ParameterizedValue& value, std::string_view name);

// What a reader takes that stops nowhere: without comments, quotes and backslashes, from behind each `name=` to the end of the
// field. Worth asking where the value leaves the grammar; decoded to UTF-8.
std::vector<std::string> careless_readings_of(std::string_view field_value, std::string_view name);

}  // namespace mailhold::mime
