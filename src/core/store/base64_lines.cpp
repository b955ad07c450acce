#include "core/store/base64_lines.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace mailhold::store {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint32_t no_letter = 0x80000000;

// By two characters at a time, and by four: attachments are most of what is kept.
struct Tables {
  std::array<std::array<char, 2>, 4096> pairs{};
  std::array<std::array<std::uint32_t, 256>, 4> values{};  // of the first to the fourth character of a group, in their place
};

constexpr Tables make_tables() {
  Tables tables;
  for (std::size_t i = 0; i < tables.pairs.size(); ++i) tables.pairs[i] = {alphabet[i >> 6], alphabet[i & 63]};
  for (auto& each : tables.values) each.fill(no_letter);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    for (std::size_t place = 0; place < 4; ++place)
      tables.values[place][static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint32_t>(i) << (18 - 6 * place);
  }
  return tables;
}
constexpr Tables tables = make_tables();

std::string_view characters_of(LineEnding ending) { return ending == LineEnding::lf ? "\n" : "\r\n"; }

unsigned byte_of(const char* place) { return static_cast<unsigned char>(*place); }

// Whole groups, and what is left of the last one with its padding; the end of what was written.
char* encode(char* out, const char* bytes, std::size_t count) {
  for (; count >= 3; count -= 3, bytes += 3, out += 4) {
    const unsigned group = (byte_of(bytes) << 16) | (byte_of(bytes + 1) << 8) | byte_of(bytes + 2);
    std::memcpy(out, tables.pairs[group >> 12].data(), 2);
    std::memcpy(out + 2, tables.pairs[group & 4095].data(), 2);
  }
  if (count == 0) return out;
  const unsigned group = (byte_of(bytes) << 16) | (count > 1 ? byte_of(bytes + 1) << 8 : 0);
  std::memcpy(out, tables.pairs[group >> 12].data(), 2);
  out[2] = count > 1 ? alphabet[(group >> 6) & 63] : '=';
  out[3] = '=';
  return out + 4;
}

// Groups without padding; false at the first character that is none.
bool decode(char* out, const char* characters, std::size_t count) {
  std::uint32_t wrong = 0;
  for (; count >= 4; count -= 4, characters += 4, out += 3) {
    const std::uint32_t group = tables.values[0][byte_of(characters)] | tables.values[1][byte_of(characters + 1)] |
                                tables.values[2][byte_of(characters + 2)] | tables.values[3][byte_of(characters + 3)];
    wrong |= group;
    out[0] = static_cast<char>(group >> 16);
    out[1] = static_cast<char>(group >> 8);
    out[2] = static_cast<char>(group);
  }
  return (wrong & no_letter) == 0;
}

// The last group may be padded. How many bytes were decoded; nothing for what is no base64.
bool decode_last_line(std::string_view line, char* out, std::size_t& count) {
  if (line.empty() || line.size() % 4 != 0) return false;
  const std::size_t padding = line.ends_with("==") ? 2 : line.ends_with('=') ? 1 : 0;
  count = line.size() / 4 * 3 - padding;
  if (padding == 0) return decode(out, line.data(), line.size());
  const std::string_view whole = line.substr(0, line.size() - 4);
  std::array<char, 4> group{};
  std::copy(line.end() - 4, line.end(), group.begin());
  for (std::size_t i = 4 - padding; i < 4; ++i) group[i] = 'A';
  std::array<char, 3> bytes{};
  if (!decode(out, whole.data(), whole.size()) || !decode(bytes.data(), group.data(), group.size())) return false;
  std::copy_n(bytes.begin(), 3 - padding, out + whole.size() / 4 * 3);
  return true;
}

// The length of a line and its ending, as the first one has them. False for what cannot be laid out so.
bool find_layout(std::string_view body, Base64Lines& lines) {
  const std::size_t first_end = std::min(body.find('\n'), body.size());
  lines = Base64Lines();
  std::size_t line_length = first_end;
  if (first_end < body.size() && first_end > 0) {
    lines.ending = body[first_end - 1] == '\r' ? LineEnding::crlf : LineEnding::lf;
    if (lines.ending == LineEnding::crlf) --line_length;
  }
  // A body of one line may be any length; then the length of a line does not matter as long as it is not shorter.
  if (first_end == body.size()) line_length = std::max<std::size_t>(line_length, 76) / 4 * 4;
  if (line_length == 0 || line_length % 4 != 0 || line_length > base64_line_length_max) return false;
  lines.line_length = static_cast<std::uint16_t>(line_length);
  return true;
}

}  // namespace

std::uint64_t base64_lines_size(std::uint64_t bytes, const Base64Lines& lines) {
  const std::uint64_t characters = (bytes + 2) / 3 * 4;
  const std::uint64_t endings = characters == 0 ? 0 : (characters - 1) / lines.line_length;
  return characters + endings * characters_of(lines.ending).size();
}

void append_base64_lines(std::string& out, std::string_view bytes, const Base64Lines& lines) {
  const std::size_t begin = out.size();
  out.resize(begin + static_cast<std::size_t>(base64_lines_size(bytes.size(), lines)));
  char* place = out.data() + begin;
  const std::string_view ending = characters_of(lines.ending);
  const std::size_t step = lines.line_length / 4 * 3U;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    if (at > 0) place = std::copy(ending.begin(), ending.end(), place);
    place = encode(place, bytes.data() + at, std::min(step, bytes.size() - at));
  }
}

bool decode_base64_lines(std::string_view body, DecodedBody& decoded) {
  if (!find_layout(body, decoded.lines)) return false;
  const std::size_t line_length = decoded.lines.line_length;
  const std::string_view ending = characters_of(decoded.lines.ending);
  const std::size_t step = line_length + ending.size();
  decoded.bytes.resize(body.size() / 4 * 3 + 3);
  std::array<char, base64_line_length_max> again{};
  std::size_t done_to = 0;
  for (std::size_t at = 0; at < body.size(); at += step) {
    const std::string_view line = body.substr(at, line_length);
    const bool is_last = at + step >= body.size();
    char* const out = decoded.bytes.data() + done_to;
    std::size_t count = line_length / 4 * 3;
    const bool is_base64 = is_last ? decode_last_line(line, out, count) : decode(out, line.data(), line.size());
    if (!is_base64) return false;
    // The encoder itself says whether it gives this line back; the ending must be the one it would put there.
    const char* const end = encode(again.data(), out, count);
    if (std::string_view(again.data(), static_cast<std::size_t>(end - again.data())) != line) return false;
    const std::string_view behind = body.substr(at + line.size(), ending.size());
    if (behind != (is_last ? std::string_view() : ending)) return false;
    done_to += count;
  }
  decoded.bytes.resize(done_to);
  return true;
}

}  // namespace mailhold::store
