#include "formats/url/ip_address.h"

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/text.h"

namespace mailhold::url {
namespace {

Error no_address() { return {ErrorKind::invalid_input, "not an IP address"}; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int digit_of(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Decimal, octal with a leading 0, hexadecimal with 0x. Larger than 32 bits stays at a value above them.
std::optional<std::uint64_t> ipv4_number(std::string_view text) {
  if (text.empty()) return std::nullopt;
  int radix = 10;
  if (starts_with_ignoring_case(text, "0x")) {
    radix = 16;
    text.remove_prefix(2);
  } else if (text.size() >= 2 && text[0] == '0') {
    radix = 8;
    text.remove_prefix(1);
  }
  std::uint64_t value = 0;
  for (char c : text) {
    const int digit = digit_of(c);
    if (digit < 0 || digit >= radix) return std::nullopt;
    value = std::min<std::uint64_t>(value * static_cast<unsigned>(radix) + static_cast<unsigned>(digit), std::uint64_t{1} << 40);
  }
  return value;
}

std::vector<std::string_view> ipv4_parts(std::string_view host) {
  std::vector<std::string_view> parts = split(host, '.');
  if (parts.size() > 1 && parts.back().empty()) parts.pop_back();
  return parts;
}

using Pieces = std::array<std::uint16_t, 8>;

// "1.2.3.4" at the end of an IPv6 address, without odd forms.
bool read_embedded_ipv4(std::string_view text, Pieces& pieces, std::size_t& piece) {
  const std::vector<std::string_view> parts = split(text, '.');
  if (parts.size() != 4 || piece > 6) return false;
  std::uint32_t address = 0;
  for (std::string_view part : parts) {
    if (part.empty() || part.size() > 3 || (part.size() > 1 && part[0] == '0')) return false;
    const std::optional<std::uint64_t> number = to_number(part);
    if (!number || *number > 255) return false;
    address = address << 8 | static_cast<std::uint32_t>(*number);
  }
  pieces[piece++] = static_cast<std::uint16_t>(address >> 16);
  pieces[piece++] = static_cast<std::uint16_t>(address & 0xFFFF);
  return true;
}

std::optional<Pieces> ipv6_pieces(std::string_view text) {
  Pieces pieces{};
  std::size_t piece = 0;
  std::optional<std::size_t> compressed_at;
  std::size_t p = 0;
  if (text.starts_with(":")) {
    if (!text.starts_with("::")) return std::nullopt;
    p = 2;
    compressed_at = 0;
  }
  while (p < text.size()) {
    if (piece == 8) return std::nullopt;
    if (text[p] == ':') {
      if (compressed_at) return std::nullopt;
      compressed_at = piece;
      ++p;
      continue;
    }
    unsigned value = 0;
    std::size_t length = 0;
    while (length < 4 && p + length < text.size() && digit_of(text[p + length]) >= 0) {
      value = value * 16 + static_cast<unsigned>(digit_of(text[p + length]));
      ++length;
    }
    const std::size_t after = p + length;
    if (after < text.size() && text[after] == '.') {
      if (length == 0 || !read_embedded_ipv4(text.substr(p), pieces, piece)) return std::nullopt;
      p = text.size();
      break;
    }
    if (length == 0) return std::nullopt;
    pieces[piece++] = static_cast<std::uint16_t>(value);
    p = after;
    if (p == text.size()) break;
    if (text[p] != ':' || ++p == text.size()) return std::nullopt;
  }
  if (compressed_at) {
    const std::size_t moved = piece - *compressed_at;
    for (std::size_t i = 0; i < moved; ++i) {
      std::swap(pieces[7 - i], pieces[piece - 1 - i]);
    }
  } else if (piece != 8) {
    return std::nullopt;
  }
  return pieces;
}

// The first of the longest runs of zeros that has at least two pieces: {begin, length}.
std::pair<std::size_t, std::size_t> longest_zeros(const Pieces& pieces) {
  std::pair<std::size_t, std::size_t> best{8, 1};
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t length = 0;
    while (i + length < 8 && pieces[i + length] == 0) ++length;
    if (length > best.second) best = {i, length};
    if (length > 0) i += length - 1;
  }
  return best;
}

}  // namespace

bool ends_in_number(std::string_view host) {
  const std::vector<std::string_view> parts = ipv4_parts(host);
  const std::string_view last = parts.back();
  bool digits = !last.empty();
  for (char c : last) digits = digits && is_digit(c);
  return digits || (starts_with_ignoring_case(last, "0x") && ipv4_number(last));
}

Result<std::string> parse_ipv4(std::string_view host) {
  const std::vector<std::string_view> parts = ipv4_parts(host);
  if (parts.size() > 4) return no_address();
  std::uint64_t address = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::optional<std::uint64_t> number = ipv4_number(parts[i]);
    if (!number) return no_address();
    const bool is_last = i + 1 == parts.size();
    const std::size_t bytes = is_last ? 5 - parts.size() : 1;  // the last number fills what is left
    if (*number >= std::uint64_t{1} << (8 * bytes)) return no_address();
    address = (address << (8 * bytes)) | *number;
  }
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    text += std::to_string((address >> shift) & 0xFF);
    if (shift > 0) text += '.';
  }
  return text;
}

Result<std::string> parse_ipv6(std::string_view inside) {
  const std::optional<Pieces> pieces = ipv6_pieces(inside);
  if (!pieces) return no_address();
  const auto [zeros, count] = longest_zeros(*pieces);
  std::string text = "[";
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == zeros) {
      text += i == 0 ? "::" : ":";
      i += count - 1;
      continue;
    }
    constexpr std::string_view digits = "0123456789abcdef";
    std::string hex;
    for (unsigned rest = (*pieces)[i]; rest > 0 || hex.empty(); rest >>= 4) hex.insert(hex.begin(), digits[rest & 15]);
    text += hex;
    if (i < 7) text += ':';
  }
  return text + "]";
}

}  // namespace mailhold::url
