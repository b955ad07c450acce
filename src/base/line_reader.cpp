#include "base/line_reader.h"

namespace mailhold {

Status LineReader::receive(std::string_view bytes) {
  if (bytes.find('\0') != std::string_view::npos) return Error{ErrorKind::invalid_input, "a line with a zero byte"};
  buffered_.erase(0, taken_);
  taken_ = 0;
  buffered_.append(bytes);
  const std::size_t last_end = buffered_.rfind('\n');
  const std::size_t open = last_end == std::string::npos ? 0 : last_end + 1;
  if (buffered_.size() - open > line_bytes_max_) return Error{ErrorKind::limit_exceeded, "a line without end"};
  return done();
}

std::optional<std::string> LineReader::next() {
  const std::size_t end = buffered_.find('\n', taken_);
  if (end == std::string::npos) return std::nullopt;
  std::string line = buffered_.substr(taken_, end - taken_);
  taken_ = end + 1;
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return line;
}

std::string LineReader::take_rest() {
  std::string rest = buffered_.substr(taken_);
  buffered_.clear();
  taken_ = 0;
  return rest;
}

}  // namespace mailhold
