#include "formats/http/response_reader.h"

#include <algorithm>

#include "base/text.h"

namespace mailhold::http {
namespace {

constexpr std::size_t head_bytes_max = 64 * 1024;
constexpr std::size_t fields_max = 128;
constexpr std::size_t chunk_line_bytes_max = 256;
constexpr int interim_max = 8;

Error broken(const char* what) { return {ErrorKind::invalid_input, std::string("server breaks HTTP: ") + what}; }

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char letter) {
    return letter > 0x20 && letter < 0x7f && std::string_view("()<>@,;:\\\"/[]?={}").find(letter) == std::string_view::npos;
  });
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char letter) { return (static_cast<unsigned char>(letter) < 0x20 && letter != '\t') || letter == 0x7f; });
}

std::optional<std::uint64_t> hex_number(std::string_view text) {
  if (text.empty() || text.size() > 15) return std::nullopt;
  std::uint64_t number = 0;
  for (const char letter : text) {
    const char lower = to_lower(letter);
    const int digit = lower >= '0' && lower <= '9' ? lower - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
    if (digit < 0) return std::nullopt;
    number = number * 16 + static_cast<std::uint64_t>(digit);
  }
  return number;
}

}  // namespace

std::string_view ResponseHead::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return {};
}

void ResponseReader::expect(std::string_view method) {
  state_ = State::head;
  answers_head_ = method == "HEAD";
  keeps_ = false;
  interim_ = 0;
  head_bytes_ = 0;
  head_ = {};
  body_.clear();
}

Status ResponseReader::receive(std::string_view bytes) {
  if (state_ == State::complete && !bytes.empty()) return broken("an answer nobody asked for");
  rest_.append(bytes);
  return read_more();
}

void ResponseReader::end_of_stream() {
  if (state_ == State::until_close) state_ = State::complete;
  keeps_ = false;
}

bool ResponseReader::take_line(std::string& line) {
  const std::size_t end = rest_.find("\r\n");
  if (end == std::string::npos) return false;
  line = rest_.substr(0, end);
  rest_.erase(0, end + 2);
  return true;
}

Status ResponseReader::read_more() {
  std::string line;
  for (;;) {
    switch (state_) {
      case State::head: {
        const std::size_t end = rest_.find("\r\n\r\n");
        if (std::min(end, rest_.size()) > head_bytes_max)
          return Error{ErrorKind::limit_exceeded, "server sends a head without end"};
        if (end == std::string::npos) return done();
        const std::string head = rest_.substr(0, end + 2);
        rest_.erase(0, end + 4);
        RETURN_IF_ERROR(read_head(head));
        if (head_.status >= 200) {
          RETURN_IF_ERROR(frame_body());
          head_.keeps = keeps_;
        } else if (++interim_ > interim_max || head_.status == 101) {
          return broken("interim answers without end");
        }
        break;
      }
      case State::length:
      case State::chunk: {
        const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest_.size()));
        body_.append(rest_, 0, size);
        rest_.erase(0, size);
        left_ -= size;
        if (left_ > 0) return done();
        state_ = state_ == State::length ? State::complete : State::chunk_end;
        break;
      }
      case State::chunk_size: {
        if (!take_line(line))
          return rest_.size() > chunk_line_bytes_max
                     ? Status(Error{ErrorKind::limit_exceeded, "server sends a chunk size without end"})
                     : done();
        const auto size = hex_number(trim(std::string_view(line).substr(0, line.find(';'))));
        if (!size) return broken("a chunk without a size");
        left_ = *size;
        state_ = left_ == 0 ? State::trailer : State::chunk;
        break;
      }
      case State::chunk_end: {
        if (rest_.size() < 2) return done();
        if (!rest_.starts_with("\r\n")) return broken("a chunk longer than it said");
        rest_.erase(0, 2);
        state_ = State::chunk_size;
        break;
      }
      case State::trailer: {
        if (!take_line(line))
          return rest_.size() > head_bytes_max ? Status(Error{ErrorKind::limit_exceeded, "server sends a trailer without end"})
                                               : done();
        head_bytes_ += line.size() + 2;
        if (head_bytes_ > head_bytes_max) return Error{ErrorKind::limit_exceeded, "server sends a trailer without end"};
        if (line.empty()) state_ = State::complete;  // what stands in it is of no use here
        break;
      }
      case State::until_close:
        body_ += rest_;
        rest_.clear();
        return done();
      case State::complete: return rest_.empty() ? done() : Status(broken("more than it said"));
    }
  }
}

Status ResponseReader::read_head(std::string_view head) {
  head_ = {};
  bool is_first = true;
  while (!head.empty()) {
    const std::size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    if (std::exchange(is_first, false)) {
      const auto status = line.size() >= 12 ? to_number(line.substr(9, 3)) : std::nullopt;
      if (!line.starts_with("HTTP/1.") || (line[7] != '0' && line[7] != '1') || line[8] != ' ' || !status || *status < 100 ||
          (line.size() > 12 && line[12] != ' '))
        return broken("no status line");
      head_.status = static_cast<int>(*status);
      keeps_ = line[7] == '1';
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_name(line.substr(0, colon)) || has_control(line.substr(colon)) ||
        head_.fields.size() >= fields_max)
      return broken("a field that cannot be read");
    head_.fields.emplace_back(to_lower(line.substr(0, colon)), trim(line.substr(colon + 1)));
  }
  return done();
}

// RFC 9112 section 6.3, and nothing that two readers could take differently.
Status ResponseReader::frame_body() {
  std::vector<std::string> lengths, codings;
  for (const auto& [name, value] : head_.fields) {
    if (name == "content-length") lengths.push_back(value);
    if (name == "transfer-encoding") codings.push_back(to_lower(value));
    if (name == "connection" && equals_ignoring_case(value, "close")) keeps_ = false;
  }
  if (lengths.size() > 1 || codings.size() > 1 || (!lengths.empty() && !codings.empty())) return broken("two lengths");
  if (!lengths.empty()) {
    head_.length = to_number(lengths[0]);
    if (!head_.length) return broken("a length that is no number");
  }
  if (answers_head_ || head_.status == 204 || head_.status == 304) {
    head_.length = 0;
    state_ = State::complete;
    return done();
  }
  if (!codings.empty()) {
    if (codings[0] != "chunked") return broken("a transfer coding that is not taken");
    state_ = State::chunk_size;
  } else if (head_.length) {
    left_ = *head_.length;
    state_ = left_ == 0 ? State::complete : State::length;
  } else {
    keeps_ = false;
    state_ = State::until_close;
  }
  return done();
}

}  // namespace mailhold::http
