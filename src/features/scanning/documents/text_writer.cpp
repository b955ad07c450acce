#include "features/scanning/documents/text_writer.h"

#include <algorithm>

#include "base/utf8.h"
#include "formats/mime/text.h"

namespace mailhold::scanning {
namespace {

std::string charset_of(unsigned code_page) {
  switch (code_page) {
    case 65001: return "utf-8";
    case 10000: return "macintosh";
    case 932: return "shift_jis";
    case 936: return "gbk";
    case 949: return "windows-949";
    case 950: return "big5";
    default: return (code_page < 1000 ? "cp" : "windows-") + std::to_string(code_page);
  }
}

bool is_ascii(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char byte) { return static_cast<unsigned char>(byte) < 0x80; });
}

}  // namespace

void TextWriter::add_unit(char16_t unit) {
  write_bytes();
  const bool is_second_half = unit >= 0xDC00 && unit <= 0xDFFF;
  if (first_half_ != 0 && is_second_half) {
    append_utf8(text_, 0x10000 + ((first_half_ - 0xD800) << 10U) + (unit - 0xDC00U));
    first_half_ = 0;
    return;
  }
  write_half();
  if (unit >= 0xD800 && unit <= 0xDBFF) {
    first_half_ = unit;
  } else {
    append_utf8(text_, unit);
  }
}

void TextWriter::add_byte(char byte) {
  write_half();
  bytes_ += byte;
}

void TextWriter::set_code_page(unsigned code_page) {
  if (code_page == code_page_) return;
  write_bytes();
  code_page_ = code_page;
}

void TextWriter::end_word() {
  write_half();
  write_bytes();
  if (!text_.empty() && text_.back() != '\n') text_ += '\n';
}

bool TextWriter::finish() {
  write_half();
  write_bytes();
  const bool fits = text_.size() <= bytes_max_;
  if (!fits) text_.resize(bytes_max_);
  return fits;
}

void TextWriter::write_bytes() {
  if (bytes_.empty()) return;
  constexpr std::size_t growth_max = 4;
  text_ += is_ascii(bytes_) ? bytes_ : mime::to_utf8(bytes_, charset_of(code_page_), bytes_.size() * growth_max);
  bytes_.clear();
}

// A half without the other is no character.
void TextWriter::write_half() {
  if (first_half_ != 0) append_utf8(text_, first_half_);
  first_half_ = 0;
}

}  // namespace mailhold::scanning
