#include "formats/html/named_references.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/utf8.h"

namespace mailhold::html {
namespace {

struct Reference {
  std::string_view name;  // with its ';' if it needs one
  std::string_view text;
};

constexpr Reference references[] = {
#include "formats/html/named_references.inc"
};

constexpr std::size_t name_bytes_max = 32;  // "CounterClockwiseContourIntegral;"

// Numbers 0x80 to 0x9F mean windows-1252, HTML Standard 13.2.5.80.
constexpr std::array<char32_t, 32> windows_1252 = {
    0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D, 0x017D, 0x8F,
    0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D, 0x017E, 0x0178};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alphanumeric(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

const Reference* find_exactly(std::string_view name) {
  const auto* found =
      std::lower_bound(std::begin(references), std::end(references), name,
                       [](const Reference& reference, std::string_view wanted) { return reference.name < wanted; });
  return found != std::end(references) && found->name == name ? found : nullptr;
}

// The longest reference that `rest` (behind the '&') begins with.
const Reference* find_longest(std::string_view rest) {
  std::size_t length = 0;
  while (length < rest.size() && length < name_bytes_max && is_alphanumeric(rest[length])) ++length;
  if (length < rest.size() && length < name_bytes_max && rest[length] == ';') ++length;
  for (; length >= 2; --length) {
    if (const Reference* found = find_exactly(rest.substr(0, length))) return found;
  }
  return nullptr;
}

// `rest` begins behind "&#". Gives the bytes taken, 0 if no number stands there.
std::size_t read_number(std::string_view rest, std::string& out) {
  const bool hex = !rest.empty() && (rest[0] == 'x' || rest[0] == 'X');
  std::size_t position = hex ? 1 : 0;
  const std::size_t first = position;
  std::uint64_t value = 0;
  while (position < rest.size()) {
    const int digit = hex ? hex_digit(rest[position]) : is_digit(rest[position]) ? rest[position] - '0' : -1;
    if (digit < 0) break;
    value = std::min<std::uint64_t>(value * (hex ? 16 : 10) + static_cast<std::uint64_t>(digit), 0x110000);
    ++position;
  }
  if (position == first) return 0;
  if (position < rest.size() && rest[position] == ';') ++position;
  char32_t code_point = static_cast<char32_t>(value);
  if (code_point >= 0x80 && code_point <= 0x9F) code_point = windows_1252[code_point - 0x80];
  if (code_point == 0) code_point = 0xFFFD;
  append_utf8(out, code_point);
  return position;
}

// `rest` begins at the '&'. Gives the bytes taken, 0 if it is just an ampersand.
std::size_t read_reference(std::string_view rest, std::string& out) {
  if (rest.size() < 2) return 0;
  if (rest[1] == '#') {
    const std::size_t taken = read_number(rest.substr(2), out);
    return taken == 0 ? 0 : taken + 2;
  }
  const Reference* found = find_longest(rest.substr(1));
  if (found == nullptr) return 0;
  const std::size_t end = 1 + found->name.size();
  // In an attribute "&copy=1" and "&copyx" are text, HTML Standard 13.2.5.73.
  const bool closed = found->name.back() == ';';
  if (!closed && end < rest.size() && (rest[end] == '=' || is_alphanumeric(rest[end]))) return 0;
  out += found->text;
  return end;
}

}  // namespace

std::string decode_attribute(std::string_view value, std::vector<std::size_t>* origins) {
  std::string out;
  out.reserve(value.size());
  std::size_t position = 0;
  while (position < value.size()) {
    std::size_t taken = 0;
    if (value[position] == '&') taken = read_reference(value.substr(position), out);
    if (taken == 0) {
      taken = 1;
      if (value[position] == '\0') {
        append_utf8(out, 0xFFFD);
      } else {
        out.push_back(value[position]);
      }
    }
    if (origins != nullptr) origins->resize(out.size(), position);
    position += taken;
  }
  if (origins != nullptr) origins->push_back(value.size());
  return out;
}

}  // namespace mailhold::html
