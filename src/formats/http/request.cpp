#include "formats/http/request.h"

#include "base/text.h"

namespace mailhold::http {
namespace {

// RFC 9110 section 5.6.2
bool is_token_char(char c) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || marks.find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  for (char c : text) {
    if (!is_token_char(c)) return false;
  }
  return !text.empty();
}

// RFC 9110 section 5.5: visible characters, space, tab, and bytes above ASCII.
bool is_field_value(std::string_view text) {
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && byte != '\t') || byte == 0x7F) return false;
  }
  return true;
}

bool is_target(std::string_view text) {
  for (char c : text) {
    if (c <= 0x20 || c >= 0x7F) return false;
  }
  return text.starts_with('/');
}

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string_view Request::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return {};
}

std::string Request::joined_field(std::string_view name) const {
  std::string joined;
  bool is_first = true;
  for (const auto& [key, value] : fields) {
    if (key != name) continue;
    joined += (is_first ? "" : ", ") + value;
    is_first = false;
  }
  return joined;
}

RequestParser::State RequestParser::refuse(int status) {
  status_ = status;
  buffered_.clear();
  return state_ = State::refused;
}

RequestParser::State RequestParser::feed(std::string_view bytes) {
  if (state_ != State::wants_more) return state_;
  // What goes beyond the limits is never kept, whatever the size of one read.
  const std::size_t room = limits_.head_bytes_max + limits_.body_bytes_max + 4 - buffered_.size();
  buffered_.append(bytes.substr(0, room));
  if (!body_length_) {
    const std::size_t end = buffered_.find("\r\n\r\n", searched_);
    searched_ = buffered_.size() < 3 ? 0 : buffered_.size() - 3;
    if (end == std::string::npos || end > limits_.head_bytes_max) {
      const std::size_t line_end = buffered_.find("\r\n");
      if (std::min(line_end, buffered_.size()) > limits_.target_bytes_max + 32) return refuse(414);
      return buffered_.size() > limits_.head_bytes_max ? refuse(431) : state_;
    }
    if (read_head(std::string_view(buffered_).substr(0, end + 2)) == State::refused) return state_;
    buffered_.erase(0, end + 4);
  }
  if (buffered_.size() < *body_length_) return state_;
  request_.body = buffered_.substr(0, *body_length_);
  return state_ = State::complete;
}

// `head` is the lines with their CRLF, without the empty one.
RequestParser::State RequestParser::read_head(std::string_view head) {
  bool is_first = true;
  while (!head.empty()) {
    const std::size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    const bool taken = is_first ? read_request_line(line) : read_field(line);
    if (!taken) return state_ == State::refused ? state_ : refuse(400);
    is_first = false;
  }
  return read_body_length();
}

bool RequestParser::read_request_line(std::string_view line) {
  const std::vector<std::string_view> words = split(line, ' ');
  if (words.size() != 3 || !is_token(words[0])) return false;
  if (words[1].size() > limits_.target_bytes_max) {
    refuse(414);
    return false;
  }
  if (!is_target(words[1])) return false;
  if (words[2] != "HTTP/1.1" && words[2] != "HTTP/1.0") {
    if (words[2].starts_with("HTTP/")) refuse(505);
    return false;
  }
  request_.method = words[0];
  request_.target = words[1];
  request_.minor_version = words[2].back() - '0';
  return true;
}

bool RequestParser::read_field(std::string_view line) {
  if (request_.fields.size() >= limits_.fields_max) {
    refuse(431);
    return false;
  }
  // A space before the colon and a folded line fail as names: RFC 9112 sections 5.1 and 5.2.
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return false;
  const std::string_view value = trim_blanks(line.substr(colon + 1));
  if (!is_field_value(value)) return false;
  request_.fields.emplace_back(to_lower(line.substr(0, colon)), value);
  return true;
}

RequestParser::State RequestParser::read_body_length() {
  std::size_t lengths = 0, hosts = 0;
  std::string_view length;
  for (const auto& [name, value] : request_.fields) {
    // We take no transfer coding at all, so that nobody can frame a body in a second way: RFC 9112 section 6.3.
    if (name == "transfer-encoding") return refuse(501);
    if (name == "expect") return refuse(417);
    hosts += name == "host" ? 1 : 0;
    if (name == "content-length") {
      ++lengths;
      length = value;
    }
  }
  if (lengths > 1 || hosts > 1 || (request_.minor_version == 1 && hosts != 1)) return refuse(400);
  body_length_ = 0;
  if (lengths == 0) return request_.method == "POST" ? refuse(411) : state_;
  const std::optional<std::uint64_t> size = to_number(length);
  if (!size) return refuse(400);
  if (*size > limits_.body_bytes_max) return refuse(413);
  body_length_ = *size;
  return state_;
}

}  // namespace mailhold::http
