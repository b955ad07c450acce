#include "formats/imap/imap_response_scanner.h"

#include <algorithm>

#include "base/text.h"
#include "formats/imap/literal.h"

namespace mailhold::imap {
namespace {

using Kind = ResponsePiece::Kind;

std::string_view word_at(std::string_view line, std::size_t begin) {
  if (begin >= line.size()) return {};
  const std::string_view rest = line.substr(begin);
  return rest.substr(0, rest.find(' '));
}

}  // namespace

Status ImapResponseScanner::receive(std::string_view bytes) {
  if (taken_ > 0) {
    buffered_.erase(0, taken_);
    searched_ -= std::min(searched_, taken_);
    taken_ = 0;
  }
  buffered_.append(bytes);
  if (buffered_.size() > line_bytes_max && literal_left_ == 0 && buffered_.find('\n', searched_) == std::string::npos)
    return Error{ErrorKind::limit_exceeded, "server sends a line without end"};
  return done();
}

std::optional<ResponsePiece> ImapResponseScanner::next() {
  if (literal_left_ > 0) {
    const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(literal_left_, buffered_.size() - taken_));
    if (size == 0) return std::nullopt;
    ResponsePiece piece{Kind::literal,
                        taken_ == 0 && size == buffered_.size() ? std::exchange(buffered_, {}) : buffered_.substr(taken_, size)};
    if (!buffered_.empty()) taken_ += size;
    searched_ = taken_;
    literal_left_ -= size;
    return piece;
  }
  const std::size_t end = buffered_.find('\n', std::max(taken_, searched_));
  if (end == std::string::npos) {
    searched_ = buffered_.size();
    return std::nullopt;
  }
  ResponsePiece piece{Kind::text, buffered_.substr(taken_, end + 1 - taken_)};
  taken_ = searched_ = end + 1;
  std::string_view line = piece.bytes;
  line.remove_suffix(line.ends_with("\r\n") ? 2 : 1);
  if (at_begin_) {
    const std::string_view first = word_at(line, 0);
    if (first == "+") {
      piece.kind = Kind::continuation;
      return piece;
    }
    const std::string_view second = word_at(line, first.size() + 1);
    if (first != "*") {
      piece.kind = Kind::tagged;
      piece.tag = first;
      return piece;
    }
    if (is_condition(second)) return piece;
    const bool is_fetch = to_number(second).has_value() && equals_ignoring_case(word_at(line, 3 + second.size()), "FETCH");
    if (is_fetch && announced_literal(line)) piece.kind = Kind::item;
  }
  const auto literal = announced_literal(line);
  literal_left_ = literal.value_or(0);
  at_begin_ = !literal;
  return piece;
}

}  // namespace mailhold::imap
