// Reading header blocks: for parse.cpp only.
#pragma once

#include <string_view>

#include "formats/mime/message.h"

namespace mailhold::mime {

// Collects the fields of one header from its lines and notes where lines are not as they should be.
class HeaderReader {
 public:
  HeaderReader(std::string_view bytes, Message& message, std::size_t part) : bytes_(bytes), message_(message), part_(part) {}

  // A line that is neither empty nor a delimiter: text [begin, text_end), the next line at `next`.
  void take_line(std::size_t begin, std::size_t text_end, std::size_t next);
  void finish();

 private:
  void note_bytes(std::string_view text, bool crlf);
  void start_field(std::size_t begin, std::size_t text_end, std::size_t next);
  void take_no_field(std::string_view text);

  std::string_view bytes_;
  Message& message_;
  std::size_t part_;
  bool any_line_ = false, open_ = false, any_crlf_ = false, any_lf_ = false;
};

// Fills type, boundary and encoding of the part from its fields, and notes the oddities of those.
void interpret_fields(std::string_view bytes, Message& message, std::size_t part, std::string_view default_type);

}  // namespace mailhold::mime
