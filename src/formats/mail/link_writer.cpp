#include "formats/mail/link_writer.h"

#include "formats/mime/transfer.h"

namespace mailhold::mail {
namespace {

std::string_view line_end_of(std::string_view body) {
  const std::size_t at = body.find('\n');
  return at != std::string_view::npos && (at == 0 || body[at - 1] != '\r') ? "\n" : "\r\n";
}

std::vector<Splice> splices_in_plain(std::size_t body_offset, const std::vector<TextChange>& changes) {
  std::vector<Splice> splices;
  splices.reserve(changes.size());
  for (const TextChange& change : changes) splices.push_back({body_offset + change.offset, change.length, change.text});
  return splices;
}

// Walks quoted-printable text, knowing for each decoded byte where its encoding stands.
class QuotedPrintableWalk {
 public:
  explicit QuotedPrintableWalk(std::string_view body) : body_(body) {}

  // Forward to the encoding of the decoded byte with that number; rising numbers only.
  std::size_t encoded_offset(std::size_t decoded) {
    while (decoded_ < decoded && at_ < body_.size()) step();
    skip_breaks();
    return at_;
  }
  // Behind the encoding of the decoded byte before that number, without a soft break that may follow.
  std::size_t encoded_end(std::size_t decoded) {
    while (decoded_ < decoded && at_ < body_.size()) step();
    return at_;
  }

 private:
  static bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f'); }

  // Length of a soft line break at at_, or 0: as the decoder sees it.
  std::size_t break_length() const {
    if (body_[at_] != '=') return 0;
    if (at_ + 2 < body_.size() && is_hex(body_[at_ + 1]) && is_hex(body_[at_ + 2])) return 0;
    std::size_t i = at_ + 1;
    while (i < body_.size() && (body_[i] == ' ' || body_[i] == '\t')) ++i;
    if (i == body_.size()) return i - at_;
    if (body_[i] == '\n') return i + 1 - at_;
    if (body_[i] == '\r') return i + (i + 1 < body_.size() && body_[i + 1] == '\n' ? 2u : 1u) - at_;
    return 0;
  }
  void skip_breaks() {
    while (at_ < body_.size()) {
      const std::size_t length = break_length();
      if (length == 0) return;
      at_ += length;
    }
  }
  void step() {
    skip_breaks();
    if (at_ >= body_.size()) return;
    const bool escape = body_[at_] == '=' && at_ + 2 < body_.size() && is_hex(body_[at_ + 1]) && is_hex(body_[at_ + 2]);
    at_ += escape ? 3 : 1;
    ++decoded_;
  }

  std::string_view body_;
  std::size_t at_ = 0;
  std::size_t decoded_ = 0;
};

// How far back a line is followed: no line of quoted-printable is longer, and many links on one line stay linear.
constexpr std::size_t column_max = 200;

std::size_t column_at(std::string_view body, std::size_t offset) {
  std::size_t column = 0;
  while (column < offset && column < column_max && body[offset - column - 1] != '\n') ++column;
  return column;
}

std::vector<Splice> splices_in_quoted_printable(std::string_view body, std::size_t body_offset,
                                                const std::vector<TextChange>& changes) {
  constexpr std::size_t line_max = 76;  // RFC 2045 section 6.7 rule 5
  const std::string_view line_end = line_end_of(body);
  QuotedPrintableWalk walk(body);
  std::vector<Splice> splices;
  std::size_t previous_end = 0;
  std::size_t previous_column = 0;  // where the text behind the previous change now stands
  for (const TextChange& change : changes) {
    const std::size_t begin = walk.encoded_offset(change.offset);
    const std::size_t end = walk.encoded_end(change.offset + change.length);
    std::size_t column = column_at(body, begin);
    if (!splices.empty() && column >= begin - previous_end &&
        body.substr(previous_end, begin - previous_end).find('\n') == std::string_view::npos) {
      column = previous_column + (begin - previous_end);
    }
    std::string text = mime::encode_quoted_printable_run(change.text, column, line_end);
    const std::size_t last_line = text.rfind('\n');
    column = last_line == std::string::npos ? column + text.size() : text.size() - last_line - 1;
    const std::string_view rest = body.substr(end, column_max);
    const std::size_t line_rest = std::min(rest.find('\n'), rest.size());
    const bool ends_there = line_rest <= 1 && end + line_rest <= body.size() && (line_rest == 0 || body[end] == '\r');
    if (!ends_there && column + line_rest > line_max) {
      text += '=';
      text += line_end;
      column = 0;
    }
    splices.push_back({body_offset + begin, end - begin, std::move(text)});
    previous_end = end;
    previous_column = column;
  }
  return splices;
}

std::vector<Splice> splice_of_base64(std::string_view body, std::size_t body_offset, const std::vector<TextChange>& changes) {
  const std::string decoded = mime::decode_base64(body).bytes;
  std::string text;
  std::size_t at = 0;
  for (const TextChange& change : changes) {
    text.append(decoded, at, change.offset - at);
    text += change.text;
    at = change.offset + change.length;
  }
  text.append(decoded, at, decoded.size() - at);
  // The lines as long as they were, where that is a whole number of groups.
  const std::string_view line_end = line_end_of(body);
  std::size_t line = body.find_first_of("\r\n");
  if (line == std::string_view::npos || line % 4 != 0 || line < 4 || line > 76) line = 76;
  return {{body_offset, body.size(), mime::encode_base64_lines(text, line, line_end, body.ends_with('\n'))}};
}

}  // namespace

std::vector<Splice> splices_for(std::string_view body, std::size_t body_offset, mime::Encoding encoding,
                                const std::vector<TextChange>& changes) {
  switch (encoding) {
    case mime::Encoding::base64: return splice_of_base64(body, body_offset, changes);
    case mime::Encoding::quoted_printable: return splices_in_quoted_printable(body, body_offset, changes);
    default: return splices_in_plain(body_offset, changes);
  }
}

}  // namespace mailhold::mail
