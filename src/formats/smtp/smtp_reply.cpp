#include "formats/smtp/smtp_reply.h"

#include <cctype>

#include "base/text.h"

namespace mailhold::smtp {
namespace {

constexpr std::size_t written_line_bytes_max = 512;  // RFC 5321 section 4.5.3.1.5, with CRLF
constexpr std::size_t read_line_bytes_max = 2048;    // servers exceed 512 in practice
constexpr std::size_t lines_max = 128;

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

// The length of "5.1.1 " at the start of the text, zero if there is none of the given class (RFC 3463 section 2).
std::size_t enhanced_length(std::string_view text, char status_class) {
  if (text.size() < 5 || text[0] != status_class || text[1] != '.') return 0;
  std::size_t at = 2;
  for (int part = 0; part < 2; ++part) {
    const std::size_t start = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    if (at == start || at - start > 3) return 0;
    if (part == 0) {
      if (at >= text.size() || text[at] != '.') return 0;
      ++at;
    }
  }
  return at == text.size() || text[at] == ' ' ? at : 0;
}

}  // namespace

std::string Reply::text() const {
  std::string joined;
  for (const std::string& line : lines) {
    if (!joined.empty()) joined += ' ';
    joined += line;
  }
  return joined;
}

Reply reply(int code, std::string_view enhanced, std::string_view text) {
  return {code, std::string(enhanced), {std::string(text)}};
}

void append_reply(std::string& out, const Reply& reply) {
  const std::string code = std::to_string(reply.code);
  const std::size_t count = reply.lines.empty() ? 1 : reply.lines.size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t start = out.size();
    out += code;
    out += i + 1 == count ? ' ' : '-';
    if (!reply.enhanced.empty()) out.append(reply.enhanced).append(" ");
    if (!reply.lines.empty()) {
      for (const char letter : reply.lines[i]) {
        if (out.size() - start >= written_line_bytes_max - 2) break;
        out += letter >= ' ' && letter <= '~' ? letter : '?';
      }
    }
    out += "\r\n";
  }
}

std::string write_reply(const Reply& reply) {
  std::string out;
  append_reply(out, reply);
  return out;
}

Status ReplyReader::receive(std::string_view bytes) {
  rest_ += bytes;
  std::size_t start = 0;
  for (std::size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', start)) {
    std::string_view line(rest_.data() + start, end - start);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    RETURN_IF_ERROR(take_line(line));
    start = end + 1;
  }
  rest_.erase(0, start);
  if (rest_.size() > read_line_bytes_max) return Error{ErrorKind::limit_exceeded, "reply line too long"};
  return done();
}

Status ReplyReader::take_line(std::string_view line) {
  if (line.size() > read_line_bytes_max) return Error{ErrorKind::limit_exceeded, "reply line too long"};
  const bool has_code = line.size() >= 3 && line[0] >= '2' && line[0] <= '5' && is_digit(line[1]) && is_digit(line[2]);
  const char after = line.size() > 3 ? line[3] : ' ';
  if (!has_code || (after != ' ' && after != '-')) return Error{ErrorKind::invalid_input, "not an SMTP reply"};
  const int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
  // RFC 5321 section 4.2.1: all lines of a reply carry the same code.
  if (current_.code != 0 && current_.code != code) return Error{ErrorKind::invalid_input, "a reply with two codes"};
  if (current_.lines.size() >= lines_max) return Error{ErrorKind::limit_exceeded, "reply of too many lines"};

  std::string_view text = line.size() > 4 ? line.substr(4) : std::string_view();
  if (const std::size_t length = enhanced_length(text, line[0]); length > 0) {
    if (current_.enhanced.empty()) current_.enhanced = std::string(text.substr(0, length));
    text.remove_prefix(std::min(text.size(), length + 1));
  }
  current_.code = code;
  current_.lines.emplace_back(text);
  if (after == ' ') {
    complete_.push_back(std::move(current_));
    current_ = Reply{};
  }
  return done();
}

std::optional<Reply> ReplyReader::next() {
  if (complete_.empty()) return std::nullopt;
  Reply first = std::move(complete_.front());
  complete_.erase(complete_.begin());
  return first;
}

}  // namespace mailhold::smtp
