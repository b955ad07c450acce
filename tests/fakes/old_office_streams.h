// Streams of office files of before 2007 as small as they may be, for tests and fuzzers of what reads them.
#pragma once

#include <string>
#include <vector>

#include "fakes/compound_file.h"

namespace mailhold {

struct WordStreams {
  std::string document, table;
};

struct WordPiece {
  std::string bytes;
  bool is_byte = true;  // else UTF-16
};

inline WordStreams word_streams(const std::vector<WordPiece>& pieces, std::uint32_t flags = 0x200) {
  constexpr std::size_t header_bytes = 900;
  std::string document(header_bytes, '\0');
  const auto set = [&](std::size_t at, std::uint64_t value, int bytes) {
    document.replace(at, static_cast<std::size_t>(bytes), little_endian_bytes(value, bytes));
  };
  set(0, 0xA5EC, 2);
  set(2, 0xC1, 2);
  set(10, flags, 2);
  set(32, 14, 2);
  set(62, 22, 2);
  std::string begins, places;
  std::size_t characters = 0;
  for (const WordPiece& piece : pieces) {
    begins += little_endian_bytes(characters, 4);
    const std::uint64_t at = document.size();
    places += std::string(2, '\0') + little_endian_bytes(piece.is_byte ? at * 2 | 0x40000000 : at, 4) + std::string(2, '\0');
    document += piece.bytes;
    characters += piece.bytes.size() / (piece.is_byte ? 1 : 2);
  }
  begins += little_endian_bytes(characters, 4);
  const std::string formatting = std::string("\1") + little_endian_bytes(3, 2) + "abc";
  const std::string table = formatting + "\2" + little_endian_bytes(begins.size() + places.size(), 4) + begins + places;
  set(76, characters, 4);
  set(418, 7, 4);  // behind something else
  set(422, table.size(), 4);
  return {document, "before " + table};
}

inline std::string excel_record(unsigned kind, const std::string& bytes) {
  return little_endian_bytes(kind, 2) + little_endian_bytes(bytes.size(), 2) + bytes;
}

inline std::string powerpoint_record(unsigned first, unsigned kind, const std::string& bytes) {
  return little_endian_bytes(first, 2) + little_endian_bytes(kind, 2) + little_endian_bytes(bytes.size(), 4) + bytes;
}

inline std::string utf16_bytes(std::u16string_view text) {
  std::string bytes;
  for (const char16_t unit : text) bytes += little_endian_bytes(unit, 2);
  return bytes;
}

}  // namespace mailhold
