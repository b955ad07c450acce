#include "features/scanning/documents/rich_text.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <vector>

#include "base/text.h"
#include "features/scanning/documents/text_writer.h"

namespace mailhold::scanning {
namespace {

constexpr std::size_t depth_max = 256;
constexpr std::size_t fonts_max = 1000;
constexpr std::size_t word_letters_max = 32;
constexpr unsigned code_page_default = 1252;

enum class Effect : std::uint8_t {
  none,
  end_word,
  character,     // writes one
  unseen,        // what is in its group is not the reader's
  own_text,      // what is in its group is, also behind \*, and no part of the words around
  fonts,         // the group tells of fonts
  hidden,        // of characters, until its number is 0
  plain,         // characters are as usual again
  unicode,       // a unit of UTF-16, and stand-ins for readers of old
  stand_ins,     // how many of them
  code_page,     // of the whole file
  fixed_page,    // so, by name
  font,          // of characters; in the list of fonts, the one that is told of
  font_charset,  // its characters, by Windows' number of a charset
  font_page,     // or of a code page
  binary,        // so many bytes that are no text
};

struct Word {
  Effect effect = Effect::none;
  unsigned value = 0;
};

Word word_of(std::string_view name) {
  static const std::unordered_map<std::string_view, Word> words = {
      {"par", {Effect::end_word}},
      {"line", {Effect::end_word}},
      {"sect", {Effect::end_word}},
      {"page", {Effect::end_word}},
      {"column", {Effect::end_word}},
      {"tab", {Effect::end_word}},
      {"cell", {Effect::end_word}},
      {"row", {Effect::end_word}},
      {"nestcell", {Effect::end_word}},
      {"nestrow", {Effect::end_word}},
      {"softline", {Effect::end_word}},
      {"emspace", {Effect::character, ' '}},
      {"enspace", {Effect::character, ' '}},
      {"qmspace", {Effect::character, ' '}},
      {"emdash", {Effect::character, 0x2014}},
      {"endash", {Effect::character, 0x2013}},
      {"lquote", {Effect::character, 0x2018}},
      {"rquote", {Effect::character, 0x2019}},
      {"ldblquote", {Effect::character, 0x201C}},
      {"rdblquote", {Effect::character, 0x201D}},
      {"bullet", {Effect::character, 0x2022}},
      {"colortbl", {Effect::unseen}},
      {"stylesheet", {Effect::unseen}},
      {"info", {Effect::unseen}},
      {"pict", {Effect::unseen}},
      {"objdata", {Effect::unseen}},
      {"objclass", {Effect::unseen}},
      {"objname", {Effect::unseen}},
      {"fldinst", {Effect::unseen}},
      {"bkmkstart", {Effect::unseen}},
      {"bkmkend", {Effect::unseen}},
      {"listtext", {Effect::unseen}},
      {"pntext", {Effect::unseen}},
      {"sp", {Effect::unseen}},
      {"filetbl", {Effect::unseen}},
      {"revtbl", {Effect::unseen}},
      {"listtable", {Effect::unseen}},
      {"listoverridetable", {Effect::unseen}},
      {"rsidtbl", {Effect::unseen}},
      {"template", {Effect::unseen}},
      {"xe", {Effect::unseen}},
      {"tc", {Effect::unseen}},
      {"nonshppict", {Effect::unseen}},
      {"private", {Effect::unseen}},
      {"header", {Effect::own_text}},
      {"headerl", {Effect::own_text}},
      {"headerr", {Effect::own_text}},
      {"headerf", {Effect::own_text}},
      {"footer", {Effect::own_text}},
      {"footerl", {Effect::own_text}},
      {"footerr", {Effect::own_text}},
      {"footerf", {Effect::own_text}},
      {"footnote", {Effect::own_text}},
      {"annotation", {Effect::own_text}},
      {"shpinst", {Effect::own_text}},
      {"shptxt", {Effect::own_text}},
      {"fonttbl", {Effect::fonts}},
      {"v", {Effect::hidden}},
      {"deleted", {Effect::hidden}},
      {"plain", {Effect::plain}},
      {"u", {Effect::unicode}},
      {"uc", {Effect::stand_ins}},
      {"ansicpg", {Effect::code_page}},
      {"mac", {Effect::fixed_page, 10000}},
      {"pc", {Effect::fixed_page, 437}},
      {"pca", {Effect::fixed_page, 850}},
      {"f", {Effect::font}},
      {"fcharset", {Effect::font_charset}},
      {"cpg", {Effect::font_page}},
      {"bin", {Effect::binary}},
  };
  const auto found = words.find(name);
  return found == words.end() ? Word() : found->second;
}

// 0: that of the file.
unsigned code_page_of_charset(std::int64_t charset) {
  switch (charset) {
    case 77: return 10000;
    case 128: return 932;
    case 129: return 949;
    case 134: return 936;
    case 136: return 950;
    case 161: return 1253;
    case 162: return 1254;
    case 163: return 1258;
    case 177: return 1255;
    case 178: return 1256;
    case 186: return 1257;
    case 204: return 1251;
    case 222: return 874;
    case 238: return 1250;
    case 254: return 437;
    case 255: return 850;
    default: return 0;
  }
}

unsigned code_page_of(std::int64_t number) {
  constexpr std::int64_t code_page_max = 65535;
  return number > 0 && number <= code_page_max ? static_cast<unsigned>(number) : 0;
}

struct Group {
  bool is_unseen = false;
  bool is_hidden = false;
  bool is_of_fonts = false;
  bool is_own_text = false;
  std::size_t stand_ins = 1;
  unsigned code_page = 0;
};

class Reader {
 public:
  Reader(std::string_view bytes, TextWriter& text) : bytes_(bytes), text_(text) {}

  bool read() {
    while (at_ < bytes_.size() && !text_.is_full()) {
      const char c = bytes_[at_++];
      if (c == '{') {
        if (groups_.size() >= depth_max) return false;
        begin_group();
      } else if (c == '}') {
        end_group();
        if (groups_.empty()) return true;
      } else if (c == '\\') {
        read_control();
      } else if (c != '\r' && c != '\n' && c != '\0') {
        add_byte(c);
      }
    }
    return false;
  }

 private:
  void begin_group() {
    groups_.push_back(groups_.empty() ? Group() : groups_.back());
    groups_.back().is_own_text = false;
    stand_ins_left_ = 0;
    is_optional_ = false;
  }

  void end_group() {
    if (groups_.empty()) return;
    if (groups_.back().is_own_text) text_.end_word();
    groups_.pop_back();
    stand_ins_left_ = 0;
  }

  Group& group() {
    if (groups_.empty()) groups_.emplace_back();
    return groups_.back();
  }
  bool is_visible() { return !group().is_unseen && !group().is_hidden && !group().is_of_fonts; }

  bool is_stand_in() {
    if (stand_ins_left_ == 0) return false;
    --stand_ins_left_;
    return true;
  }

  void add_byte(char c) {
    if (is_stand_in() || !is_visible()) return;
    text_.set_code_page(group().code_page != 0 ? group().code_page : code_page_);
    text_.add_byte(c);
  }
  void add_unit(unsigned unit) {
    if (is_visible()) text_.add_unit(static_cast<char16_t>(unit));
  }
  void end_word() {
    if (is_visible()) text_.end_word();
  }

  void read_control() {
    if (at_ >= bytes_.size()) return;
    const char c = bytes_[at_];
    if (is_letter(c)) return read_word();
    ++at_;
    if (c == '*') {
      is_optional_ = true;
      return;
    }
    if (c == '\'') {
      const std::optional<std::string> byte = from_hex(bytes_.substr(at_, 2));
      at_ = std::min(at_ + 2, bytes_.size());
      if (byte && !byte->empty()) add_byte(byte->front());
    } else if (c == '\r' || c == '\n') {
      end_word();
    } else if (c == '~' || c == '_') {
      add_byte(c == '~' ? ' ' : '-');
    } else if (c == '\\' || c == '{' || c == '}') {
      add_byte(c);
    }
  }

  static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  // Letters, a number that may be left out, and a blank that belongs to it.
  void read_word() {
    const std::size_t begin = at_;
    while (at_ < bytes_.size() && is_letter(bytes_[at_]) && at_ - begin < word_letters_max) ++at_;
    const std::string_view name = bytes_.substr(begin, at_ - begin);
    const std::optional<std::int64_t> number = read_number();
    if (at_ < bytes_.size() && bytes_[at_] == ' ') ++at_;
    const Word word = word_of(name);
    const bool is_optional = std::exchange(is_optional_, false);
    if (word.effect == Effect::binary) {
      at_ += std::min(bytes_.size() - at_, static_cast<std::size_t>(std::max<std::int64_t>(number.value_or(0), 0)));
      return;
    }
    if (is_stand_in()) return;
    if (is_optional && word.effect != Effect::own_text) {
      group().is_unseen = true;
    } else {
      apply(word, number);
    }
  }

  std::optional<std::int64_t> read_number() {
    constexpr std::size_t digits_max = 10;
    const bool is_negative = at_ + 1 < bytes_.size() && bytes_[at_] == '-' && is_digit(bytes_[at_ + 1]);
    if (is_negative) ++at_;
    std::optional<std::int64_t> number;
    for (std::size_t digits = 0; at_ < bytes_.size() && is_digit(bytes_[at_]) && digits < digits_max; ++digits)
      number = number.value_or(0) * 10 + (bytes_[at_++] - '0');
    return number && is_negative ? -*number : number;
  }

  void apply(const Word& word, const std::optional<std::int64_t>& number) {
    switch (word.effect) {
      case Effect::end_word: end_word(); break;
      case Effect::character: add_unit(word.value); break;
      case Effect::unseen: group().is_unseen = true; break;
      case Effect::own_text:
        end_word();
        group().is_own_text = true;
        break;
      case Effect::fonts: group().is_of_fonts = true; break;
      case Effect::hidden: group().is_hidden = number != 0; break;
      case Effect::plain:
        group().is_hidden = false;
        group().code_page = 0;
        break;
      case Effect::unicode:
        add_unit(static_cast<unsigned>(number.value_or(0) & 0xFFFF));
        stand_ins_left_ = group().stand_ins;
        break;
      case Effect::stand_ins: set_stand_ins(number.value_or(1)); break;
      case Effect::code_page: code_page_ = code_page_of(number.value_or(0)) != 0 ? code_page_of(*number) : code_page_; break;
      case Effect::fixed_page: code_page_ = word.value; break;
      case Effect::font: use_font(number.value_or(0)); break;
      case Effect::font_charset: tell_font(code_page_of_charset(number.value_or(0))); break;
      case Effect::font_page: tell_font(code_page_of(number.value_or(0))); break;
      case Effect::binary:
      case Effect::none: break;
    }
  }

  void set_stand_ins(std::int64_t count) {
    constexpr std::int64_t stand_ins_max = 16;
    group().stand_ins = static_cast<std::size_t>(std::clamp<std::int64_t>(count, 0, stand_ins_max));
  }

  void use_font(std::int64_t number) {
    font_ = number;
    if (group().is_of_fonts) return;
    const auto found = code_pages_.find(number);
    group().code_page = found == code_pages_.end() ? 0 : found->second;
  }

  void tell_font(unsigned code_page) {
    if (group().is_of_fonts && code_page != 0 && code_pages_.size() < fonts_max) code_pages_[font_] = code_page;
  }

  const std::string_view bytes_;
  TextWriter& text_;
  std::size_t at_ = 0;
  std::vector<Group> groups_;
  std::map<std::int64_t, unsigned> code_pages_;  // of fonts
  std::int64_t font_ = 0;                        // the last that was named
  unsigned code_page_ = code_page_default;
  std::size_t stand_ins_left_ = 0;
  bool is_optional_ = false;  // behind \*: who does not know the next word leaves out its group
};

}  // namespace

bool is_rich_text(std::string_view bytes) { return bytes.starts_with("{\\rtf"); }

DocumentText text_of_rich_text(std::string_view file, std::size_t bytes_max) {
  DocumentText document;
  TextWriter text(document.text, bytes_max);
  const bool read = Reader(file, text).read();
  document.whole = text.finish() && read;
  return document;
}

}  // namespace mailhold::scanning
