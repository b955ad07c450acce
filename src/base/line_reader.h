// LineReader: lines of a text protocol out of what arrives in pieces. A line ends with CRLF (a bare LF is taken too, as
// old servers send it) and holds no NUL; one longer than the limit, and whatever follows it, is never kept.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mailhold {

class LineReader {
 public:
  explicit LineReader(std::size_t line_bytes_max) : line_bytes_max_(line_bytes_max) {}
  // limit_exceeded: a line without end. invalid_input: a NUL. Afterwards nothing more is read.
  Status receive(std::string_view bytes);
  std::optional<std::string> next();  // without its end
  std::string take_rest();            // what arrived after the last line that was taken
  bool has_rest() const { return taken_ < buffered_.size(); }

 private:
  const std::size_t line_bytes_max_;
  std::string buffered_;
  std::size_t taken_ = 0;
};

}  // namespace mailhold
