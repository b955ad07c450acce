// Numbers as the older formats of documents have them, in bytes that need not be there.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mailhold::scanning {

// Of at most four bytes; 0 where the bytes end before it does: where that matters, piece_of() tells.
inline std::uint32_t little_endian(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint32_t value = 0;
  if (at > bytes.size() || bytes.size() - at < size) return value;
  for (std::size_t i = size; i > 0; --i) value = value << 8U | static_cast<unsigned char>(bytes[at + i - 1]);
  return value;
}

// Nothing: the bytes end before it does.
inline std::optional<std::string_view> piece_of(std::string_view bytes, std::size_t at, std::size_t size) {
  if (at > bytes.size() || bytes.size() - at < size) return std::nullopt;
  return bytes.substr(at, size);
}

}  // namespace mailhold::scanning
