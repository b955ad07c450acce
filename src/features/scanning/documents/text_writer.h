// Text as older formats have it, units of UTF-16 and bytes of a code page by turns: made UTF-8, of a bounded length.
#pragma once

#include <cstdint>
#include <string>

namespace mailhold::scanning {

class TextWriter {
 public:
  // Adds to what is there. `text` outlives this.
  TextWriter(std::string& text, std::size_t bytes_max) : text_(text), bytes_max_(bytes_max) {}

  void add_unit(char16_t unit);            // the first half of a pair waits for the other
  void add_byte(char byte);                // of the code page
  void set_code_page(unsigned code_page);  // Windows' number; 1252 at first
  void end_word();                         // by a line end, of which two never follow each other
  bool is_full() const { return text_.size() + bytes_.size() > bytes_max_; }
  // What waited is written; cut at the limit. False: there was more.
  bool finish();

 private:
  void write_bytes();
  void write_half();

  std::string& text_;
  const std::size_t bytes_max_;
  std::string bytes_;  // of the code page, not converted yet
  unsigned code_page_ = 1252;
  char32_t first_half_ = 0;
};

}  // namespace mailhold::scanning
