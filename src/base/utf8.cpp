#include "base/utf8.h"

namespace mailhold {
namespace {

constexpr char32_t malformed = 0xFFFFFFFF;

unsigned byte_at(std::string_view text, std::size_t position) {
  return position < text.size() ? static_cast<unsigned char>(text[position]) : 0;
}

bool is_continuation(unsigned byte) { return (byte & 0xC0U) == 0x80U; }

// Decodes one code point; `length` is how many bytes it took.
char32_t decode(std::string_view text, std::size_t position, std::size_t& length) {
  const unsigned first = byte_at(text, position);
  length = 1;
  if (first < 0x80) return first;
  if (first < 0xC2 || first > 0xF4) return malformed;
  const std::size_t count = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  char32_t value = count == 2 ? first & 0x1FU : count == 3 ? first & 0x0FU : first & 0x07U;
  for (std::size_t i = 1; i < count; ++i) {
    const unsigned next = byte_at(text, position + i);
    if (!is_continuation(next)) return malformed;
    value = (value << 6) | (next & 0x3FU);
  }
  if ((count == 3 && value < 0x800) || (count == 4 && value < 0x10000)) return malformed;
  if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return malformed;
  length = count;
  return value;
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  for (std::size_t position = 0, length = 0; position < bytes.size(); position += length) {
    if (decode(bytes, position, length) == malformed) return false;
  }
  return true;
}

char32_t next_code_point(std::string_view utf8, std::size_t& position) {
  std::size_t length = 0;
  const char32_t value = decode(utf8, position, length);
  position += length;
  return value == malformed ? char32_t{0xFFFD} : value;
}

void append_utf8(std::string& out, char32_t code_point) {
  if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF)) code_point = 0xFFFD;
  const auto put = [&out](char32_t bits) { out.push_back(static_cast<char>(static_cast<unsigned char>(bits))); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | (code_point >> 6));
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | (code_point >> 12));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | (code_point >> 18));
    put(0x80 | ((code_point >> 12) & 0x3F));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

std::string utf8_from_latin1(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (char byte : bytes) append_utf8(out, static_cast<unsigned char>(byte));
  return out;
}

}  // namespace mailhold
