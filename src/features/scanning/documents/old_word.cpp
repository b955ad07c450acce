// Word 97 to 2003 (MS-DOC): the text lies in pieces of one stream; another stream has the table of them.
#include <vector>

#include "features/scanning/documents/little_endian.h"
#include "features/scanning/documents/old_office_text.h"

namespace mailhold::scanning {
namespace {

constexpr std::size_t fields_depth_max = 64;

std::uint32_t flags_of(std::string_view document) { return little_endian(document, 10, 2); }

// Of this version, with its parts of the size they have had ever since, and not encrypted.
bool is_readable(std::string_view document) {
  constexpr std::uint32_t identifier = 0xA5EC, version_97 = 0xC1, encrypted = 0x100;
  constexpr std::uint32_t words_16 = 14, words_32 = 22;
  return little_endian(document, 0, 2) == identifier && little_endian(document, 2, 2) >= version_97 &&
         (flags_of(document) & encrypted) == 0 && little_endian(document, 32, 2) == words_16 &&
         little_endian(document, 62, 2) == words_32;
}

// How many characters the document proper has, without its notes and headers.
std::uint32_t characters_of_body(std::string_view document) { return little_endian(document, 76, 4); }

// Behind blocks of formatting of which nothing is needed.
std::optional<std::string_view> pieces_of(std::string_view document, std::string_view table) {
  constexpr char formatting = 1, pieces = 2;
  auto rest = piece_of(table, little_endian(document, 418, 4), little_endian(document, 422, 4));
  while (rest && !rest->empty() && rest->front() == formatting) {
    const std::size_t bytes = std::size_t{3} + little_endian(*rest, 1, 2);
    rest = bytes <= rest->size() ? std::optional(rest->substr(bytes)) : std::nullopt;
  }
  if (!rest || rest->empty() || rest->front() != pieces) return std::nullopt;
  return piece_of(*rest, 5, little_endian(*rest, 1, 4));
}

class Reader {
 public:
  explicit Reader(TextWriter& text) : text_(text) {}

  void add(char16_t character, bool is_byte) {
    switch (character) {
      case 0x13: begin_field(); return;
      case 0x14: show_result(); return;
      case 0x15:
        if (!fields_.empty()) fields_.pop_back();
        return;
      case 0x0D: fields_.clear(); [[fallthrough]];  // what a field is made of never goes on behind a paragraph
      case 0x07:                                    // the end of a cell
      case 0x09:
      case 0x0B:
      case 0x0C:
      case 0x0E: text_.end_word(); return;
      case 0x1E: add_visible(u'-', false); return;
      default:
        if (character >= 0x20) add_visible(character, is_byte);  // the others are places of pictures and notes
    }
  }

 private:
  enum class Part : std::uint8_t { instruction, result };

  void begin_field() {
    if (fields_.size() < fields_depth_max) fields_.push_back(Part::instruction);
  }
  void show_result() {
    if (!fields_.empty()) fields_.back() = Part::result;
  }
  void add_visible(char16_t character, bool is_byte) {
    for (const Part part : fields_) {
      if (part == Part::instruction) return;
    }
    if (is_byte) {
      text_.add_byte(static_cast<char>(character));
    } else {
      text_.add_unit(character);
    }
  }

  TextWriter& text_;
  std::vector<Part> fields_;
};

}  // namespace

std::string_view table_of_word(std::string_view document) {
  constexpr std::uint32_t second = 0x200;
  return (flags_of(document) & second) != 0 ? "1Table" : "0Table";
}

bool add_text_of_word(std::string_view document, std::string_view table, TextWriter& text) {
  if (!is_readable(document)) return false;
  const std::optional<std::string_view> pieces = pieces_of(document, table);
  if (!pieces || pieces->size() < 4) return false;
  // Where each piece begins, in characters, and where the last one ends; then eight bytes about each.
  const std::size_t count = (pieces->size() - 4) / 12;
  Reader reader(text);
  std::size_t bytes_left = document.size();  // no byte is in two pieces
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t begin = little_endian(*pieces, i * 4, 4), end = little_endian(*pieces, i * 4 + 4, 4);
    const std::uint32_t place = little_endian(*pieces, (count + 1) * 4 + i * 8 + 2, 4);
    constexpr std::uint32_t one_byte_each = 0x40000000, place_bits = 0x3FFFFFFF;
    const bool is_byte = (place & one_byte_each) != 0;
    const std::size_t width = is_byte ? 1 : 2, at = (place & place_bits) / (is_byte ? 2 : 1);
    if (end < begin || (end - begin) * width > bytes_left) return false;
    const auto piece = piece_of(document, at, (end - begin) * width);
    if (!piece) return false;
    bytes_left -= piece->size();
    for (std::size_t c = 0; c < piece->size() && !text.is_full(); c += width)
      reader.add(static_cast<char16_t>(little_endian(*piece, c, width)), is_byte);
    if (text.is_full()) return false;
  }
  return count > 0 && little_endian(*pieces, count * 4, 4) >= characters_of_body(document);
}

}  // namespace mailhold::scanning
