#include "formats/mime/text.h"

#include <unicode/ucnv.h>
#include <unicode/udata.h>

#include <array>
#include <memory>

#include "base/text.h"
#include "base/utf8.h"
#include "formats/mime/transfer.h"

namespace mailhold::mime {
namespace {

std::string repaired_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) append_utf8(out, next_code_point(text, at));
  return out;
}

// windows-1252 0x80..0x9F; the holes stay control characters.
constexpr std::array<std::uint16_t, 32> windows_1252 = {
    0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D, 0x017D, 0x8F,
    0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D, 0x017E, 0x0178};

std::string from_windows_1252(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    append_utf8(out, byte >= 0x80 && byte < 0xA0 ? char32_t{windows_1252[byte - 0x80]} : char32_t{byte});
  }
  return out;
}

struct CloseConverter {
  void operator()(UConverter* converter) const { ucnv_close(converter); }
};

// Through ICU; false if it does not know the charset.
bool convert(std::string_view bytes, const std::string& charset, std::string& out) {
  UErrorCode error = U_ZERO_ERROR;
  const std::unique_ptr<UConverter, CloseConverter> from(ucnv_open(charset.c_str(), &error));
  if (U_FAILURE(error)) return false;
  const std::unique_ptr<UConverter, CloseConverter> to(ucnv_open("UTF-8", &error));
  if (U_FAILURE(error)) return false;
  out.clear();
  const char* source = bytes.data();
  const char* const source_end = source + bytes.size();
  std::array<UChar, 1024> pivot;
  UChar* pivot_source = pivot.data();
  UChar* pivot_target = pivot.data();
  std::array<char, 4096> buffer;
  bool first = true;
  for (;;) {
    char* target = buffer.data();
    error = U_ZERO_ERROR;
    ucnv_convertEx(to.get(), from.get(), &target, buffer.data() + buffer.size(), &source, source_end, pivot.data(), &pivot_source,
                   &pivot_target, pivot.data() + pivot.size(), first, true, &error);
    first = false;
    out.append(buffer.data(), static_cast<std::size_t>(target - buffer.data()));
    if (error != U_BUFFER_OVERFLOW_ERROR) break;
  }
  return true;
}

void cut(std::string& text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return;
  while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xC0) == 0x80) --bytes_max;
  text.resize(bytes_max);
}

}  // namespace

std::string to_utf8(std::string_view bytes, std::string_view charset, std::size_t bytes_max) {
  bytes = bytes.substr(0, bytes_max);  // no charset makes fewer bytes of UTF-8 than a quarter of its own; enough for display
  const std::string name = to_lower(trim(charset));
  std::string out;
  const bool plain =
      name.empty() || name == "utf-8" || name == "utf8" || name == "us-ascii" || name == "ascii" || name == "unknown-8bit";
  if (plain) {
    out = is_utf8(bytes) ? std::string(bytes) : name.starts_with("utf") ? repaired_utf8(bytes) : from_windows_1252(bytes);
  } else if (name == "iso-8859-1" || name == "latin1" || name == "windows-1252" || name == "cp1252") {
    out = from_windows_1252(bytes);  // as WHATWG reads latin1
  } else if (name.size() > 60 || !convert(bytes, name, out)) {
    out = is_utf8(bytes) ? std::string(bytes) : from_windows_1252(bytes);
  }
  cut(out, bytes_max);
  return out;
}

namespace {

struct Word {
  std::size_t length = 0;  // 0: none here
  std::string text;
};

// RFC 2047 section 2, leniently: any text up to "?=" in the right place.
Word read_word(std::string_view text) {
  if (!text.starts_with("=?")) return {};
  const std::size_t charset_end = text.find('?', 2);
  if (charset_end == std::string_view::npos || charset_end - 2 > 80 || charset_end + 2 >= text.size() ||
      text[charset_end + 2] != '?')
    return {};
  const char encoding = to_lower(text[charset_end + 1]);
  const std::size_t begin = charset_end + 3;
  const std::size_t end = text.find("?=", begin);
  if (end == std::string_view::npos || (encoding != 'b' && encoding != 'q')) return {};
  std::string_view charset = text.substr(2, charset_end - 2);
  charset = charset.substr(0, charset.find('*'));  // RFC 2231 section 5: language
  const std::string_view body = text.substr(begin, end - begin);
  std::string bytes;
  if (encoding == 'b') {
    bytes = decode_base64(body).bytes;
  } else {
    std::string spaced(body);
    for (char& c : spaced) c = c == '_' ? ' ' : c;
    bytes = decode_quoted_printable(spaced).bytes;
  }
  return {end + 2, to_utf8(bytes, charset, 4096)};
}

}  // namespace

bool has_encoded_word(std::string_view value) {
  for (std::size_t at = value.find("=?"); at != std::string_view::npos; at = value.find("=?", at + 2)) {
    const std::size_t charset_end = value.find('?', at + 2);
    if (charset_end == std::string_view::npos) return false;
    if (charset_end + 2 < value.size() && value[charset_end + 2] == '?') return true;
  }
  return false;
}

std::string decode_header_text(std::string_view value, std::size_t bytes_max) {
  std::string out;
  std::string plain;  // bytes outside encoded words, converted when the next word begins
  bool after_word = false;
  const auto flush = [&] {
    // Blanks between two encoded words belong to neither (RFC 2047 section 6.2).
    out += to_utf8(plain, "", 4 * bytes_max);
    plain.clear();
  };
  value = trim(value.substr(0, 64u << 10));
  for (std::size_t i = 0; i < value.size() && out.size() + plain.size() < 4 * bytes_max;) {
    if (value[i] == '=') {
      if (Word word = read_word(value.substr(i)); word.length > 0) {
        if (after_word && trim(plain).empty()) plain.clear();
        flush();
        out += word.text;
        i += word.length;
        after_word = true;
        continue;
      }
    }
    const char c = value[i++];
    if (c == '\r' || c == '\n') continue;
    plain.push_back(c == '\t' ? ' ' : c);
    if (c != ' ' && c != '\t') after_word = false;
  }
  flush();
  std::string clean;
  clean.reserve(out.size());
  for (const char c : out) {
    if (static_cast<unsigned char>(c) >= 32 && c != 127)
      clean.push_back(c);
    else if (c == '\n' || c == '\t')
      clean.push_back(' ');
  }
  if (!is_utf8(clean)) clean = repaired_utf8(clean);
  cut(clean, bytes_max);
  return clean;
}

void load_converters() {
  UErrorCode error = U_ZERO_ERROR;
  udata_setFileAccess(UDATA_NO_FILES, &error);
  // The ones mail uses, so that they are shared by all workers after fork.
  for (const char* name : {"UTF-8",        "UTF-16",       "UTF-16LE",     "UTF-16BE",     "UTF-7",        "ISO-8859-2",
                           "ISO-8859-5",   "ISO-8859-15",  "windows-1250", "windows-1251", "windows-1253", "windows-1254",
                           "windows-1255", "windows-1256", "KOI8-R",       "KOI8-U",       "GB18030",      "GBK",
                           "Big5",         "Shift_JIS",    "EUC-JP",       "EUC-KR",       "ISO-2022-JP",  "ISO-2022-KR"}) {
    error = U_ZERO_ERROR;
    ucnv_close(ucnv_open(name, &error));
  }
}

}  // namespace mailhold::mime
