#include "formats/imap/folder_name.h"

#include <algorithm>

#include "base/text.h"
#include "base/utf8.h"

namespace mailhold::imap {
namespace {

bool is_direct(char letter) { return letter >= 0x20 && letter <= 0x7e; }

void append_utf16(std::string& out, char32_t code_point) {
  const auto unit = [&](std::uint32_t value) {
    out += static_cast<char>(value >> 8);
    out += static_cast<char>(value & 0xff);
  };
  if (code_point < 0x10000) return unit(code_point);
  unit(0xd800 + ((code_point - 0x10000) >> 10));
  unit(0xdc00 + ((code_point - 0x10000) & 0x3ff));
}

// RFC 3501: base64 with "," for "/", without padding.
std::string encode_run(const std::string& utf16) {
  std::string run = to_base64(utf16);
  run.resize(run.find_last_not_of('=') + 1);
  std::replace(run.begin(), run.end(), '/', ',');
  return "&" + run + "-";
}

bool append_run(std::string& out, std::string_view run) {
  std::string base64(run);
  if (base64.find('/') != std::string::npos) return false;
  std::replace(base64.begin(), base64.end(), ',', '/');
  base64.append((4 - base64.size() % 4) % 4, '=');
  const auto utf16 = from_base64(base64);
  if (!utf16 || utf16->size() % 2 != 0) return false;
  const auto unit = [&](std::size_t at) {
    return static_cast<char32_t>(static_cast<unsigned char>((*utf16)[at]) << 8 | static_cast<unsigned char>((*utf16)[at + 1]));
  };
  for (std::size_t at = 0; at < utf16->size(); at += 2) {
    char32_t code_point = unit(at);
    if (code_point >= 0xd800 && code_point < 0xdc00) {
      at += 2;
      if (at >= utf16->size() || unit(at) < 0xdc00 || unit(at) > 0xdfff) return false;
      code_point = 0x10000 + ((code_point - 0xd800) << 10) + (unit(at) - 0xdc00);
    } else if (code_point >= 0xdc00 && code_point <= 0xdfff) {
      return false;
    }
    append_utf8(out, code_point);
  }
  return true;
}

}  // namespace

std::string to_modified_utf7(std::string_view utf8) {
  std::string out, run;
  const auto end_run = [&] {
    if (!run.empty()) out += encode_run(run);
    run.clear();
  };
  for (std::size_t at = 0; at < utf8.size();) {
    const char32_t code_point = next_code_point(utf8, at);
    if (code_point < 0x80 && is_direct(static_cast<char>(code_point))) {
      end_run();
      out += static_cast<char>(code_point);
      if (code_point == '&') out += '-';
    } else {
      append_utf16(run, code_point);
    }
  }
  end_run();
  return out;
}

std::optional<std::string> from_modified_utf7(std::string_view name) {
  if (name.size() > folder_name_bytes_max) return std::nullopt;
  std::string out;
  for (std::size_t at = 0; at < name.size(); ++at) {
    if (!is_direct(name[at])) return std::nullopt;
    if (name[at] != '&') {
      out += name[at];
      continue;
    }
    const std::size_t end = name.find('-', at);
    if (end == std::string_view::npos) return std::nullopt;
    if (end == at + 1)
      out += '&';
    else if (!append_run(out, name.substr(at + 1, end - at - 1)))
      return std::nullopt;
    at = end;
  }
  if (to_modified_utf7(out) != name) return std::nullopt;
  return out;
}

std::optional<std::string> quoted_string(std::string_view text, bool utf8) {
  std::string out = "\"";
  for (const char letter : text) {
    if (letter == '\r' || letter == '\n' || letter == '\0') return std::nullopt;
    if (static_cast<unsigned char>(letter) >= 0x80 && !utf8) return std::nullopt;
    if (letter == '"' || letter == '\\') out += '\\';
    out += letter;
  }
  return out + '"';
}

bool is_flag(std::string_view text) {
  if (text.starts_with('\\')) text.remove_prefix(1);
  return !text.empty() && std::none_of(text.begin(), text.end(), [](char letter) {
    return letter <= ' ' || letter >= 0x7f || std::string_view("(){%*\"\\]").find(letter) != std::string_view::npos;
  });
}

}  // namespace mailhold::imap
