// PowerPoint 97 to 2003 (MS-PPT): records, some of which hold others.
#include "features/scanning/documents/little_endian.h"
#include "features/scanning/documents/old_office_text.h"

namespace mailhold::scanning {
namespace {

enum Record : std::uint16_t {
  master = 0x03F8,
  text_of_units = 0x0FA0,
  text_of_bytes = 0x0FA8,
  string = 0x0FBA,
  handout = 0x0FC9,
  headers_and_footers = 0x0FD9,
  list_of_slides = 0x0FF0,
  comment = 0x2EE0,
};

constexpr std::uint32_t of_masters = 1;  // the list of slides that are their patterns: "Click to edit"

bool is_holder(std::uint32_t first) { return (first & 0xFU) == 0xFU; }
std::uint32_t instance_of(std::uint32_t first) { return first >> 4U; }

bool is_seen(std::uint32_t kind, std::uint32_t instance) {
  return kind != master && kind != handout && (kind != list_of_slides || instance != of_masters);
}

void add_characters(std::string_view record, std::size_t width, TextWriter& text) {
  for (std::size_t at = 0; at + width <= record.size() && !text.is_full(); at += width) {
    const auto character = static_cast<char16_t>(little_endian(record, at, width));
    constexpr char16_t paragraph = 0x0D, line = 0x0B, tabulator = 0x09;
    if (character == paragraph || character == line || character == tabulator) {
      text.end_word();
    } else {
      text.add_unit(character);
    }
  }
  text.end_word();
}

}  // namespace

bool is_encrypted_powerpoint(std::string_view current_user) {
  constexpr std::uint32_t not_encrypted = 0xE391C05F;
  return little_endian(current_user, 12, 4) != not_encrypted;
}

bool add_text_of_powerpoint(std::string_view document, TextWriter& text) {
  constexpr std::size_t header_bytes = 8;
  std::size_t strings_end = 0;  // up to here strings are comments, headers or footers; elsewhere they are names
  for (std::size_t at = 0; at < document.size();) {
    const std::uint32_t first = little_endian(document, at, 2), kind = little_endian(document, at + 2, 2);
    const auto record = piece_of(document, at + header_bytes, little_endian(document, at + 4, 4));
    if (!record || text.is_full()) return false;
    at += header_bytes;
    if (kind == comment || kind == headers_and_footers) strings_end = at + record->size();
    if (is_holder(first) && is_seen(kind, instance_of(first))) continue;  // with what it holds
    if (kind == text_of_units || (kind == string && at < strings_end)) add_characters(*record, 2, text);
    if (kind == text_of_bytes) add_characters(*record, 1, text);
    at += record->size();
  }
  return !document.empty();
}

}  // namespace mailhold::scanning
