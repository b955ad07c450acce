#include "formats/dav/dav_path.h"

#include "base/text.h"
#include "base/utf8.h"

namespace mailhold::dav {
namespace {

bool stays(char letter) {
  return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
         std::string_view("-._~@").find(letter) != std::string_view::npos;
}

void append_encoded(std::string& out, char letter) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(letter);
  if (stays(letter))
    out += letter;
  else
    out.append({'%', digits[byte >> 4], digits[byte & 15]});
}

// A percent sign that begins no byte stands for itself.
char take_byte(std::string_view text, std::size_t& at) {
  if (text[at] == '%' && at + 2 < text.size()) {
    if (const auto byte = from_hex(text.substr(at + 1, 2)); byte && byte->size() == 1) {
      at += 3;
      return (*byte)[0];
    }
  }
  return text[at++];
}

}  // namespace

std::optional<std::string> path_of_href(std::string_view href) {
  href = trim(href);
  if (const std::size_t scheme = href.find("://"); scheme != std::string_view::npos && scheme < href.find('/')) {
    const std::size_t path = href.find('/', scheme + 3);
    href = path == std::string_view::npos ? "/" : href.substr(path);
  }
  href = href.substr(0, href.find_first_of("?#"));
  if (!href.starts_with('/') || href.size() > path_bytes_max) return std::nullopt;
  std::string path, segment;
  const auto end_segment = [&]() {
    const bool is_odd = segment == "." || segment == "..";
    path += segment;
    segment.clear();
    return !is_odd;
  };
  for (std::size_t at = 0; at < href.size();) {
    if (href[at] == '/') {
      if (!end_segment()) return std::nullopt;
      if (!path.ends_with('/')) path += '/';
      ++at;
    } else {
      append_encoded(segment, take_byte(href, at));
    }
  }
  if (!end_segment() || path.size() > path_bytes_max) return std::nullopt;
  return path;
}

std::string_view name_in_path(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return path.substr(path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/') + 1);
}

std::string decoded(std::string_view encoded) {
  std::string bytes, text;
  for (std::size_t at = 0; at < encoded.size();) bytes += take_byte(encoded, at);
  for (std::size_t at = 0; at < bytes.size();) append_utf8(text, next_code_point(bytes, at));
  return text;
}

std::string encoded_segment(std::string_view text) {
  std::string out;
  for (const char letter : text) append_encoded(out, letter);
  return out;
}

}  // namespace mailhold::dav
