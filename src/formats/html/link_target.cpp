#include "formats/html/link_target.h"

#include "base/text.h"

namespace mailhold::html {
namespace {

bool is_slash(char c) { return c == '/' || c == '\\'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_control_or_space(char c) { return static_cast<unsigned char>(c) <= 0x20; }

// The scheme without its colon; empty when the value is relative.
std::string_view scheme_of(std::string_view text) {
  if (text.empty() || !is_letter(text[0])) return {};
  for (std::size_t i = 1; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ':') return text.substr(0, i);
    if (!is_letter(c) && !is_digit(c) && c != '+' && c != '-' && c != '.') return {};
  }
  return {};
}

std::string_view without_slashes(std::string_view text) {
  while (!text.empty() && is_slash(text[0])) text.remove_prefix(1);
  return text;
}

std::size_t find_or_end(std::string_view text, std::string_view any, std::size_t from = 0) {
  const std::size_t found = text.find_first_of(any, from);
  return found == std::string_view::npos ? text.size() : found;
}

std::optional<std::string> resolve(std::string_view relative, std::string_view base) {
  if (relative.empty() || relative[0] == '#') return std::nullopt;  // stays in the document for whoever reads it
  const std::size_t authority_end = find_or_end(base, "/\\?#", base.find("://") + 3);
  const std::size_t path_end = find_or_end(base, "?#", authority_end);
  if (relative[0] == '?') return std::string(base.substr(0, path_end)) + std::string(relative);
  if (is_slash(relative[0])) return std::string(base.substr(0, authority_end)) + std::string(relative);
  const std::size_t last_slash = base.substr(0, path_end).find_last_of("/\\");
  const std::size_t keep = last_slash != std::string_view::npos && last_slash >= authority_end ? last_slash : authority_end;
  return std::string(base.substr(0, keep)) + "/" + std::string(relative);
}

}  // namespace

std::string clean_url(std::string_view value) {
  while (!value.empty() && is_control_or_space(value.front())) value.remove_prefix(1);
  while (!value.empty() && is_control_or_space(value.back())) value.remove_suffix(1);
  std::string cleaned;
  cleaned.reserve(value.size());
  for (char c : value) {
    if (c != '\t' && c != '\n' && c != '\r') cleaned.push_back(c);
  }
  return cleaned;
}

std::optional<std::string> web_target(std::string_view cleaned, std::string_view base) {
  const std::string_view base_scheme = scheme_of(base);
  const std::string_view scheme = scheme_of(cleaned);
  if (!scheme.empty()) {
    const std::string name = to_lower(scheme);
    if (name != "http" && name != "https") return std::nullopt;
    const std::string_view rest = cleaned.substr(scheme.size() + 1);
    const bool has_authority = rest.size() >= 2 && rest[0] == '/' && rest[1] == '/';
    // "http:path" is relative to a base of the same scheme, URL Standard, "special relative or authority state".
    if (!has_authority && name == base_scheme) return resolve(rest, base);
    return name + "://" + std::string(without_slashes(rest));
  }
  if (cleaned.size() >= 2 && is_slash(cleaned[0]) && is_slash(cleaned[1])) {
    return std::string(base_scheme.empty() ? "https" : base_scheme) + "://" + std::string(without_slashes(cleaned));
  }
  if (base.empty()) return std::nullopt;
  return resolve(cleaned, base);
}

std::optional<ContentSpan> refresh_url(std::string_view content) {
  std::size_t p = 0;
  const auto skip_spaces = [&] {
    while (p < content.size() && is_space(content[p])) ++p;
  };
  skip_spaces();
  if (p >= content.size() || !(is_digit(content[p]) || content[p] == '.')) return std::nullopt;
  while (p < content.size() && (is_digit(content[p]) || content[p] == '.')) ++p;
  if (p >= content.size() || !(content[p] == ';' || content[p] == ',' || is_space(content[p]))) return std::nullopt;
  skip_spaces();
  if (p < content.size() && (content[p] == ';' || content[p] == ',')) ++p;
  skip_spaces();
  if (p >= content.size()) return std::nullopt;
  const std::size_t whole = p;
  if (!starts_with_ignoring_case(content.substr(p), "url")) return ContentSpan{whole, content.size()};
  p += 3;
  skip_spaces();
  if (p >= content.size() || content[p] != '=') return ContentSpan{whole, content.size()};
  ++p;
  skip_spaces();
  if (p < content.size() && (content[p] == '"' || content[p] == '\'')) {
    const char quote = content[p++];
    return ContentSpan{p, find_or_end(content, std::string_view(&quote, 1), p)};
  }
  return ContentSpan{p, content.size()};
}

}  // namespace mailhold::html
