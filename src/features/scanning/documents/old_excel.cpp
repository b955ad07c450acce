// Excel 5 to 2003 (MS-XLS): records of at most 8 KiB; what is longer goes on in records of its own kind.
#include <array>
#include <bit>
#include <charconv>
#include <vector>

#include "features/scanning/documents/little_endian.h"
#include "features/scanning/documents/old_office_text.h"

namespace mailhold::scanning {
namespace {

enum Record : std::uint16_t {
  formula = 0x06,
  end_of_part = 0x0A,
  encryption = 0x2F,
  continuation = 0x3C,
  code_page = 0x42,
  numbers = 0xBD,
  rich_label = 0xD6,
  strings = 0xFC,
  text_box = 0x1B6,
  number = 0x203,
  label = 0x204,
  string_of_formula = 0x207,
  short_number = 0x27E,
  begin_of_part = 0x809,
};

constexpr std::uint32_t version_5 = 0x500, version_8 = 0x600;
constexpr std::uint32_t wide = 1, with_phonetics = 4, with_formats = 8;

// The bytes of a record and of those that continue it.
class Cursor {
 public:
  explicit Cursor(std::vector<std::string_view> pieces) : pieces_(std::move(pieces)) {}

  std::optional<std::uint32_t> read(std::size_t size) {
    if (!find_rest()) return std::nullopt;
    const auto bytes = piece_of(rest_, 0, size);
    if (!bytes) return std::nullopt;
    rest_.remove_prefix(size);
    return little_endian(*bytes, 0, size);
  }

  bool skip(std::size_t size) {
    while (size > 0 && find_rest()) {
      const std::size_t here = std::min(size, rest_.size());
      rest_.remove_prefix(here);
      size -= here;
    }
    return size == 0;
  }

  // Where a string goes on in the next record, that begins by saying anew how wide its characters are.
  bool add_characters(std::size_t count, bool is_wide, TextWriter& text) {
    while (count > 0) {
      if (rest_.empty()) {
        const auto flags = read(1);
        if (!flags) return false;
        is_wide = (*flags & wide) != 0;
      }
      const std::size_t width = is_wide ? 2 : 1, here = std::min(count, rest_.size() / width);
      if (here == 0 || text.is_full()) return false;
      for (std::size_t i = 0; i < here; ++i) text.add_unit(static_cast<char16_t>(little_endian(rest_, i * width, width)));
      rest_.remove_prefix(here * width);
      count -= here;
    }
    return true;
  }

 private:
  bool find_rest() {
    while (rest_.empty() && next_ < pieces_.size()) rest_ = pieces_[next_++];
    return !rest_.empty();
  }

  const std::vector<std::string_view> pieces_;
  std::size_t next_ = 0;
  std::string_view rest_;
};

class Reader {
 public:
  Reader(std::string_view workbook, TextWriter& text) : rest_(workbook), text_(text) {}

  bool read() {
    bool ended = false;
    while (!rest_.empty()) {
      const std::uint32_t kind = little_endian(rest_, 0, 2);
      if (kind == 0 && ended) return rest_.find_first_not_of('\0') == std::string_view::npos;  // the stream is filled up
      const std::optional<std::string_view> record = take_record();
      if (!record || text_.is_full() || !add(kind, *record)) return false;
      ended = kind == end_of_part;
    }
    return ended;
  }

 private:
  std::optional<std::string_view> take_record() {
    constexpr std::size_t header_bytes = 4;
    const auto record = piece_of(rest_, header_bytes, little_endian(rest_, 2, 2));
    if (record) rest_.remove_prefix(header_bytes + record->size());
    return record;
  }

  Cursor with_continuations(std::string_view record) {
    std::vector<std::string_view> pieces = {record};
    while (little_endian(rest_, 0, 2) == continuation) {
      const std::optional<std::string_view> next = take_record();
      if (!next) break;
      pieces.push_back(*next);
    }
    return Cursor(std::move(pieces));
  }

  bool add(std::uint32_t kind, std::string_view record) {
    switch (kind) {
      case begin_of_part: version_ = little_endian(record, 0, 2); return version_ == version_5 || version_ == version_8;
      case encryption: return false;
      case code_page: text_.set_code_page(little_endian(record, 0, 2)); return true;
      case strings: return add_strings(with_continuations(record));
      case label:
      case rich_label: return add_string(with_continuations(record), 6);
      case string_of_formula: return add_string(with_continuations(record), 0);
      case text_box: return add_text_box(little_endian(record, 10, 2), with_continuations({}));
      case number: return add_double(record, 6);
      case formula: return add_formula(record);
      case short_number: return add_short_number(little_endian(record, 6, 4));
      case numbers:
        for (std::size_t at = 6; at + 6 <= record.size(); at += 6) add_short_number(little_endian(record, at, 4));
        return true;
      default: return true;
    }
  }

  // All texts of cells, each once; the cells have their numbers.
  bool add_strings(Cursor cursor) {
    if (!cursor.skip(4)) return false;
    const auto count = cursor.read(4);
    if (!count) return false;
    for (std::uint32_t i = 0; i < *count; ++i) {
      if (!add_unicode(cursor)) return false;
    }
    return true;
  }

  // Behind its characters stand their formats, and how they are spoken.
  bool add_unicode(Cursor& cursor) {
    const auto count = cursor.read(2), flags = cursor.read(1);
    if (!count || !flags) return false;
    std::size_t behind = 0;
    if ((*flags & with_formats) != 0) {
      const auto formats = cursor.read(2);
      if (!formats) return false;
      behind += std::size_t{*formats} * 4;
    }
    if ((*flags & with_phonetics) != 0) {
      const auto bytes = cursor.read(4);
      if (!bytes) return false;
      behind += *bytes;
    }
    if (!cursor.add_characters(*count, (*flags & wide) != 0, text_)) return false;
    text_.end_word();
    return cursor.skip(behind);
  }

  bool add_string(Cursor cursor, std::size_t place_bytes) {
    if (!cursor.skip(place_bytes)) return false;
    if (version_ == version_8) return add_unicode(cursor);
    const auto count = cursor.read(2);
    for (std::uint32_t i = 0; i < count.value_or(0); ++i) {
      const auto byte = cursor.read(1);
      if (!byte) return false;
      text_.add_byte(static_cast<char>(*byte));
    }
    text_.end_word();
    return count.has_value();
  }

  // Its characters stand in records that continue it, and their formats in others.
  bool add_text_box(std::size_t count, Cursor cursor) {
    if (version_ != version_8) return true;
    const bool whole = cursor.add_characters(count, false, text_);
    text_.end_word();
    return whole;
  }

  bool add_formula(std::string_view record) {
    constexpr std::uint32_t no_number = 0xFFFF;  // a string that follows, a truth value, an error or nothing
    return little_endian(record, 12, 2) == no_number || add_double(record, 6);
  }

  bool add_double(std::string_view record, std::size_t at) {
    if (!piece_of(record, at, 8)) return false;
    const std::uint64_t bits = std::uint64_t{little_endian(record, at + 4, 4)} << 32U | little_endian(record, at, 4);
    add_value(std::bit_cast<double>(bits));
    return true;
  }

  // Thirty bits, of a whole number or the upper ones of a double, perhaps times a hundred.
  bool add_short_number(std::uint32_t bits) {
    constexpr std::uint32_t hundredfold = 1, is_whole = 2;
    double value = 0;
    if ((bits & is_whole) != 0) {
      value = static_cast<std::int32_t>(bits) >> 2;
    } else {
      value = std::bit_cast<double>(std::uint64_t{bits & ~3U} << 32U);
    }
    add_value((bits & hundredfold) != 0 ? value / 100 : value);
    return true;
  }

  void add_value(double value) {
    constexpr int digits = 15;  // as many as Excel shows
    std::array<char, 40> written;
    const auto end = std::to_chars(written.data(), written.data() + written.size(), value, std::chars_format::general, digits);
    for (const char* c = written.data(); c != end.ptr; ++c) text_.add_unit(static_cast<unsigned char>(*c));
    text_.end_word();
  }

  std::string_view rest_;
  TextWriter& text_;
  std::uint32_t version_ = 0;
};

}  // namespace

bool add_text_of_excel(std::string_view workbook, TextWriter& text) { return Reader(workbook, text).read(); }

}  // namespace mailhold::scanning
