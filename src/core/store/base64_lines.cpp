#include "core/store/base64_lines.h"

#include <algorithm>
#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

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

#if defined(__x86_64__)
constexpr std::size_t decoded_at_once = 16, written_at_once = 16;  // characters; bytes, 12 of them decoded

// Where `from` <= character <= `to`: all bits of its byte.
__attribute__((target("ssse3"))) __m128i between(__m128i characters, char from, char to) {
  return _mm_and_si128(_mm_cmpgt_epi8(characters, _mm_set1_epi8(static_cast<char>(from - 1))),
                       _mm_cmpgt_epi8(_mm_set1_epi8(static_cast<char>(to + 1)), characters));
}

// Groups without padding, four at a time, as long as what is written at once stays within what all of them become. How many
// characters it took; `is_base64` is cleared where one is none.
__attribute__((target("ssse3"))) std::size_t decode_by_instruction(char* out, const char* characters, std::size_t count,
                                                                   bool& is_base64) {
  std::size_t done_to = 0;
  __m128i all = _mm_set1_epi8(-1);
  for (; (count - done_to) / 4 * 3 >= written_at_once; done_to += decoded_at_once, out += decoded_at_once / 4 * 3) {
    const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(characters + done_to));
    const __m128i upper = between(text, 'A', 'Z'), lower = between(text, 'a', 'z'), digit = between(text, '0', '9');
    const __m128i plus = between(text, '+', '+'), slash = between(text, '/', '/');
    const __m128i letters = _mm_or_si128(upper, lower), others = _mm_or_si128(digit, _mm_or_si128(plus, slash));
    all = _mm_and_si128(all, _mm_or_si128(letters, others));
    // Their values in the alphabet.
    const __m128i shift = _mm_or_si128(
        _mm_or_si128(_mm_and_si128(upper, _mm_set1_epi8(0 - 'A')), _mm_and_si128(lower, _mm_set1_epi8(26 - 'a'))),
        _mm_or_si128(_mm_and_si128(digit, _mm_set1_epi8(52 - '0')),
                     _mm_or_si128(_mm_and_si128(plus, _mm_set1_epi8(62 - '+')), _mm_and_si128(slash, _mm_set1_epi8(63 - '/')))));
    const __m128i values = _mm_add_epi8(text, shift);
    // Two to 12 bits, those to 24, the bytes of which then are put in order.
    const __m128i pairs = _mm_maddubs_epi16(values, _mm_set1_epi16(0x0140));
    const __m128i groups = _mm_madd_epi16(pairs, _mm_set1_epi32(0x00011000));
    const __m128i bytes = _mm_shuffle_epi8(groups, _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), bytes);
  }
  is_base64 = _mm_movemask_epi8(all) == 0xffff;
  return done_to;
}
#endif

// Groups without padding; false where a character is none.
bool decode(char* out, const char* characters, std::size_t count) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("ssse3") != 0;
  if (has_instruction) {
    bool is_base64 = true;
    const std::size_t done_to = decode_by_instruction(out, characters, count, is_base64);
    if (!is_base64) return false;
    out += done_to / 4 * 3;
    characters += done_to;
    count -= done_to;
  }
#endif
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
    // Whole groups of letters are one way to write their bytes, and the only one; padding is not, so that the encoder itself says
    // whether it gives the last line back. The ending must be the one it would put there.
    if (is_last) {
      const char* const end = encode(again.data(), out, count);
      if (std::string_view(again.data(), static_cast<std::size_t>(end - again.data())) != line) return false;
    }
    const std::string_view behind = body.substr(at + line.size(), ending.size());
    if (behind != (is_last ? std::string_view() : ending)) return false;
    done_to += count;
  }
  decoded.bytes.resize(done_to);
  return true;
}

}  // namespace mailhold::store
