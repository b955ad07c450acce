// Span: a place in the original message. The parser never copies and never changes a byte;
// everything it finds is named by where it stands.
#pragma once

#include <cstddef>
#include <string_view>

namespace mailhold::mime {

struct Span {
  std::size_t offset = 0;
  std::size_t length = 0;

  std::size_t end() const { return offset + length; }
  bool empty() const { return length == 0; }
  std::string_view of(std::string_view message) const { return message.substr(offset, length); }
  static Span between(std::size_t begin, std::size_t end) { return {begin, end > begin ? end - begin : 0}; }
  friend bool operator==(const Span&, const Span&) = default;
};

}  // namespace mailhold::mime
