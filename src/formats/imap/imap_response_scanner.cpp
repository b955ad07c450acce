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
  is_kept_ = !left_.empty();
  if (is_kept_) {
    kept_.erase(0, kept_.size() - left_.size());
    kept_.append(bytes);
  }
  left_ = is_kept_ ? std::string_view(kept_) : bytes;
  if (left_.size() > line_bytes_max && literal_left_ == 0 && left_.find('\n', searched_) == std::string_view::npos)
    return Error{ErrorKind::limit_exceeded, "server sends a line without end"};
  return done();
}

std::optional<ResponsePiece> ImapResponseScanner::nothing() {
  if (!left_.empty() && !is_kept_) {
    kept_.assign(left_);
    left_ = kept_;
    is_kept_ = true;
  }
  return std::nullopt;
}

std::string_view ImapResponseScanner::take(std::size_t size) {
  const std::string_view taken = left_.substr(0, size);
  left_.remove_prefix(size);
  searched_ = 0;
  return taken;
}

std::optional<ResponsePiece> ImapResponseScanner::next() {
  if (literal_left_ > 0) {
    const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(literal_left_, left_.size()));
    if (size == 0) return std::nullopt;
    literal_left_ -= size;
    return ResponsePiece{Kind::literal, take(size)};
  }
  const std::size_t end = left_.find('\n', searched_);
  if (end == std::string_view::npos) {
    searched_ = left_.size();
    return nothing();
  }
  ResponsePiece piece{Kind::text, take(end + 1)};
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
