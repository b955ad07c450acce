#include "formats/imap/imap_reader.h"

#include "base/text.h"
#include "formats/imap/literal.h"
#include "formats/imap/response_parser.h"

namespace mailhold::imap {
namespace {

bool may_have_literals(std::string_view line) {
  if (!line.starts_with("* ")) return false;
  line.remove_prefix(2);
  return !is_condition(line.substr(0, line.find(' ')));
}

// Whether the literal at the end of the line is a whole message: BODY[], or RFC822 as old servers answer it.
bool is_content(std::string_view line) {
  std::string_view before = trim(line.substr(0, line.rfind('{')));
  if (before.ends_with('~')) before = trim(before.substr(0, before.size() - 1));
  const auto ends_with = [&](std::string_view name) {
    return before.size() > name.size() && equals_ignoring_case(before.substr(before.size() - name.size()), name);
  };
  return ends_with("BODY[]") || ends_with("BINARY[]") || ends_with(" RFC822") || ends_with("(RFC822");
}

}  // namespace

Status ImapReader::receive(std::string_view bytes) {
  if (failure_) return *failure_;
  Status taken = done();
  while (taken && !bytes.empty()) {
    if (literal_left_ > 0) {
      const std::string_view part = bytes.substr(0, literal_left_);
      if (!literal_is_dropped_) literals_.back().append(part);
      literal_left_ -= part.size();
      bytes.remove_prefix(part.size());
      continue;
    }
    const std::size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    response_bytes_ += part.size() + (end == std::string_view::npos ? 0 : 1);
    if (response_bytes_ > limits_.line_bytes_max) {
      taken = Error{ErrorKind::limit_exceeded, "the server sends a response without end"};
      break;
    }
    line_.append(part);
    bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
    if (end != std::string_view::npos) taken = take_line();
  }
  if (!taken) failure_ = taken.error();
  return taken;
}

Status ImapReader::take_line() {
  if (line_.ends_with('\r')) line_.pop_back();
  const bool begins_here = pieces_.empty();
  const auto literal = begins_here && !may_have_literals(line_) ? std::nullopt : announced_literal(line_);
  if (!literal) return finish();
  return begin_literal(*literal);
}

Status ImapReader::begin_literal(std::uint64_t size) {
  if (literals_.size() >= limits_.literals_max) {
    return Error{ErrorKind::limit_exceeded, "the server sends too many literals in one response"};
  }
  const bool content = is_content(line_);
  if (!content && size > limits_.literal_bytes_max) {
    return Error{ErrorKind::limit_exceeded,
                 "the server sends a literal of " + std::to_string(size) + " bytes that is no message"};
  }
  literal_left_ = size;
  literal_is_dropped_ = content && size > limits_.content_bytes_max;
  if (literal_is_dropped_) bytes_dropped_ = size;
  literals_.emplace_back();
  // The announced size is a claim: memory is taken as the bytes come, beyond a first helping.
  constexpr std::uint64_t first_helping = 1U << 20;
  if (!literal_is_dropped_) literals_.back().reserve(static_cast<std::size_t>(std::min(size, first_helping)));
  line_.resize(line_.rfind('{'));
  if (line_.ends_with('~')) line_.pop_back();
  pieces_.push_back(std::exchange(line_, {}));
  return done();
}

Status ImapReader::finish() {
  pieces_.push_back(std::exchange(line_, {}));
  Result<Response> response = parse_response(pieces_, literals_, {limits_.values_max, limits_.depth_max, bytes_dropped_});
  pieces_.clear();
  literals_.clear();
  response_bytes_ = 0;
  bytes_dropped_ = 0;
  if (!response) return response.error();
  ready_.push_back(std::move(*response));
  return done();
}

std::optional<Response> ImapReader::next() {
  if (ready_.empty()) return std::nullopt;
  Response response = std::move(ready_.front());
  ready_.pop_front();
  return response;
}

}  // namespace mailhold::imap
