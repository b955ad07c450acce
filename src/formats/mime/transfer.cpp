#include "formats/mime/transfer.h"

#include <array>

#include "base/text.h"

namespace mailhold::mime {
namespace {

constexpr std::uint8_t not_in_alphabet = 0xff, is_blank = 0xfe, is_padding = 0xfd, is_line_end = 0xfc;

constexpr std::array<std::uint8_t, 256> base64_table(bool url) {
  std::array<std::uint8_t, 256> table{};
  for (auto& entry : table) entry = not_in_alphabet;
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < alphabet.size(); ++i) table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
  if (url) {
    table['-'] = 62;
    table['_'] = 63;
  }
  table[' '] = table['\t'] = is_blank;
  table['\r'] = table['\n'] = is_line_end;
  table['='] = is_padding;
  return table;
}

constexpr auto plain_table = base64_table(false);
constexpr auto url_table = base64_table(true);

// Gathers sextets into bytes; a group is four of them.
class Groups {
 public:
  explicit Groups(std::string& out) : out_(out) {}
  void push(std::uint32_t sextet) {
    bits_ = bits_ << 6 | sextet;
    if (++held_ == 4) {
      out_.push_back(static_cast<char>(bits_ >> 16 & 0xff));
      out_.push_back(static_cast<char>(bits_ >> 8 & 0xff));
      out_.push_back(static_cast<char>(bits_ & 0xff));
      bits_ = 0;
      held_ = 0;
    }
  }
  // Ends a short group: what whole bytes it has.
  void finish() {
    if (held_ >= 2) out_.push_back(static_cast<char>(bits_ >> (held_ == 2 ? 4 : 10) & 0xff));
    if (held_ == 3) out_.push_back(static_cast<char>(bits_ >> 2 & 0xff));
    bits_ = 0;
    held_ = 0;
  }
  unsigned held() const { return held_; }

 private:
  std::string& out_;
  std::uint32_t bits_ = 0;
  unsigned held_ = 0;
};

bool has_junk(std::string_view line) {
  for (const char c : line) {
    if (plain_table[static_cast<unsigned char>(c)] == not_in_alphabet) return true;
  }
  return false;
}

std::string decode_lines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string_view letters = trim(line);
    out += decode_base64(letters.substr(0, letters.size() / 4 * 4), Base64Reading::forgiving).bytes;
  }
  return out;
}

}  // namespace

Decoded decode_base64(std::string_view text, Base64Reading reading) {
  Decoded decoded;
  if (reading == Base64Reading::by_line) return {decode_lines(text), {}};
  if (reading == Base64Reading::whole_lines) {
    // Lines out, then one stream: groups may run across the lines that stay.
    std::string kept;
    for (std::string_view rest = text; !rest.empty();) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      if (!has_junk(rest.substr(0, end))) kept.append(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return decode_base64(kept, Base64Reading::forgiving);
  }
  const auto& table = reading == Base64Reading::url_alphabet ? url_table : plain_table;
  decoded.bytes.reserve(text.size() / 4 * 3 + 3);
  Groups groups(decoded.bytes);
  bool padded = false;
  std::size_t i = 0;
  const std::size_t size = text.size();
  while (i < size) {
    // The usual case: four letters in a row.
    if (groups.held() == 0 && i + 4 <= size && !padded) {
      const std::uint32_t a = table[static_cast<unsigned char>(text[i])], b = table[static_cast<unsigned char>(text[i + 1])];
      const std::uint32_t c = table[static_cast<unsigned char>(text[i + 2])], d = table[static_cast<unsigned char>(text[i + 3])];
      if ((a | b | c | d) < 64) {
        const std::uint32_t bits = a << 18 | b << 12 | c << 6 | d;
        const char three[3] = {static_cast<char>(bits >> 16), static_cast<char>(bits >> 8), static_cast<char>(bits)};
        decoded.bytes.append(three, 3);
        i += 4;
        continue;
      }
    }
    const std::uint8_t value = table[static_cast<unsigned char>(text[i++])];
    if (value < 64) {
      if (padded) {
        decoded.leniency.data_after_padding = true;
        padded = false;
      }
      groups.push(value);
    } else if (value == is_padding) {
      if (reading == Base64Reading::until_padding) break;
      if (reading == Base64Reading::ignores_padding) continue;
      if (reading == Base64Reading::padding_is_zero) {
        groups.push(0);
        continue;
      }
      if (groups.held() == 0 && !padded) decoded.leniency.odd_length = true;  // padding that pads nothing
      if (groups.held() == 1) {
        decoded.leniency.odd_length = true;
        if (reading == Base64Reading::by_group) continue;
      }
      if (groups.held() == 2 && (i >= size || text[i] != '=')) decoded.leniency.odd_length = true;  // one "=" of two
      groups.finish();
      padded = true;
    } else if (value == is_line_end) {
      if (groups.held() != 0) decoded.leniency.short_lines = true;
    } else if (value == not_in_alphabet) {
      decoded.leniency.junk = true;
      if (reading == Base64Reading::until_junk) break;
    }
  }
  if (groups.held() != 0) decoded.leniency.odd_length = true;
  groups.finish();
  return decoded;
}

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Length of "[blanks] line end" at the start, or 0; `blanks` says whether there were any. A bare CR counts.
std::size_t soft_break_length(std::string_view rest, bool& blanks) {
  std::size_t i = 0;
  while (i < rest.size() && (rest[i] == ' ' || rest[i] == '\t')) ++i;
  blanks = i > 0;
  if (i == rest.size()) return i == 0 ? 0 : i;
  if (rest[i] == '\n') return i + 1;
  if (rest[i] == '\r') return i + (i + 1 < rest.size() && rest[i + 1] == '\n' ? 2 : 1);
  return 0;
}

}  // namespace

Decoded decode_quoted_printable(std::string_view text, QuotedPrintableReading reading) {
  using Reading = QuotedPrintableReading;
  Decoded decoded;
  std::string& out = decoded.bytes;
  out.reserve(text.size());
  std::size_t i = 0;
  while (i < text.size()) {
    const std::size_t next = std::min(text.find('=', i), text.size());
    if (reading == Reading::only_escapes) {
      for (const char c : text.substr(i, next - i)) {
        if (static_cast<unsigned char>(c) > 32 && static_cast<unsigned char>(c) < 127) out.push_back(c);
      }
    } else {
      out.append(text, i, next - i);
    }
    if (next == text.size()) break;
    i = next + 1;
    if (i + 1 < text.size()) {
      const int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
      if (high >= 0 && low >= 0) {
        out.push_back(static_cast<char>(high << 4 | low));
        i += 2;
        continue;
      }
    }
    bool blanks = false;
    if (const std::size_t length = soft_break_length(text.substr(i), blanks); length > 0 || i == text.size()) {
      decoded.leniency.padded_break |= blanks;
      i += length;
      continue;
    }
    decoded.leniency.illegal_escape = true;
    if (reading == Reading::forgiving) {
      out.push_back('=');
    } else if (reading == Reading::drops_escape) {
      i = std::min(i + 2, text.size());
    } else if (reading == Reading::forces_hex && i + 1 < text.size()) {
      const int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
      out.push_back(static_cast<char>(((high < 0 ? 0 : high) << 4) | (low < 0 ? 0 : low)));
      i += 2;
    } else if (reading == Reading::soft_everywhere) {
      while (i < text.size() && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r' || text[i] == '\n' || text[i] == '=')) ++i;
    } else if (reading == Reading::until_illegal) {
      break;
    }
  }
  // Blanks before a line end are to be removed (RFC 2045 section 6.7 rule 3), which no check needs.
  return decoded;
}

namespace {

// One line of uuencoded data; false when it is none.
bool decode_uuencoded_line(std::string_view line, std::string& out) {
  if (line.empty() || line[0] < ' ' || line[0] > '`') return false;
  std::size_t count = static_cast<std::size_t>(line[0] - ' ') & 63;
  const std::string_view data = line.substr(1);
  auto sextet = [&](std::size_t at) { return at < data.size() ? static_cast<unsigned>(data[at] - ' ') & 63u : 0u; };
  for (std::size_t i = 0; count > 0; i += 4) {
    const unsigned bits = sextet(i) << 18 | sextet(i + 1) << 12 | sextet(i + 2) << 6 | sextet(i + 3);
    for (int shift = 16; shift >= 0 && count > 0; shift -= 8, --count) out.push_back(static_cast<char>(bits >> shift & 0xff));
  }
  return true;
}

// Prose is no data: "begin 644 what I wanted to say". No encoder writes small letters, or more than it declares.
bool is_uuencoded_line(std::string_view line) {
  const std::size_t declared = (static_cast<std::size_t>(line[0]) - ' ') & 63;
  if (line.size() > (declared + 2) / 3 * 4 + 4) return false;
  for (const char c : line) {
    if (c < ' ' || c > '`') return false;
  }
  return true;
}

bool is_mode(std::string_view text) {
  for (const char c : text) {
    if (c < '0' || c > '7') return false;
  }
  return text.size() >= 3 && text.size() <= 6;
}

}  // namespace

std::vector<UuencodedFile> find_uuencoded(std::string_view text, std::size_t files_max) {
  std::vector<UuencodedFile> files;
  std::size_t at = 0;
  while (files.size() < files_max && (at = text.find("begin ", at)) != std::string_view::npos) {
    const std::size_t begin = at;
    at += 6;
    if (begin > 0 && text[begin - 1] != '\n' && text[begin - 1] != '\r') continue;
    std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = trim(text.substr(at, end - at));
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || !is_mode(line.substr(0, space))) continue;
    UuencodedFile file;
    file.name = trim(line.substr(space));
    bool first = true;
    while (end < text.size()) {
      const std::size_t start = end + 1;
      end = std::min(text.find('\n', start), text.size());
      std::string_view data = text.substr(start, end - start);
      if (!data.empty() && data.back() == '\r') data.remove_suffix(1);
      if (data == "end" || (data.empty() && !first)) break;
      if (data.empty()) continue;
      if (!is_uuencoded_line(data)) break;
      if (!decode_uuencoded_line(data, file.bytes)) break;
      first = false;
    }
    at = end;
    if (file.bytes.empty()) continue;
    file.place = Span::between(begin, end);
    files.push_back(std::move(file));
  }
  return files;
}

std::string decode_uuencoded_lines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty() || line.starts_with("begin ")) continue;
    if (line == "end" || !decode_uuencoded_line(line, out)) break;
  }
  return out;
}

std::string encode_base64_lines(std::string_view bytes, std::size_t line_length, std::string_view line_end, bool final_line_end) {
  const std::size_t group_bytes = line_length / 4 * 3;
  std::string out;
  out.reserve(bytes.size() / 3 * 4 + bytes.size() / 40 + 8);
  while (!bytes.empty()) {
    out += to_base64(bytes.substr(0, group_bytes));
    bytes.remove_prefix(std::min(group_bytes, bytes.size()));
    if (!bytes.empty() || final_line_end) out += line_end;
  }
  return out;
}

std::string encode_quoted_printable_run(std::string_view bytes, std::size_t column, std::string_view line_end) {
  constexpr std::size_t column_max = 72;
  constexpr std::string_view digits = "0123456789ABCDEF";
  constexpr std::string_view plain = "-._~:/?&#%+,;";
  std::string out;
  for (const char c : bytes) {
    const bool keeps =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || plain.find(c) != std::string_view::npos;
    const std::size_t width = keeps ? 1 : 3;
    if (column + width > column_max) {
      out += '=';
      out += line_end;
      column = 0;
    }
    if (keeps && !(c == '.' && column == 0)) {
      out += c;
      column += 1;
    } else {  // a "." at the start of a line might be dot-stuffed wrongly somewhere
      out += '=';
      out += digits[static_cast<unsigned char>(c) >> 4];
      out += digits[static_cast<unsigned char>(c) & 15];
      column += 3;
    }
  }
  return out;
}

}  // namespace mailhold::mime
