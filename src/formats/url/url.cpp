#include "formats/url/url.h"

#include <vector>

#include "base/text.h"
#include "base/utf8.h"
#include "formats/url/host.h"
#include "formats/url/percent.h"

namespace mailhold::url {
namespace {

constexpr std::string_view slashes = "/\\";

Error malformed(const char* what) { return {ErrorKind::invalid_input, what}; }

// What a URL parser removes before it begins: URL Standard, "basic URL parser", steps 1 to 3.
std::string cleaned(std::string_view text) {
  const auto is_outer = [](char c) { return static_cast<unsigned char>(c) <= 0x20; };
  while (!text.empty() && is_outer(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_outer(text.back())) text.remove_suffix(1);
  std::string out = is_utf8(text) ? std::string(text) : utf8_from_latin1(text);
  std::erase_if(out, [](char c) { return c == '\t' || c == '\n' || c == '\r'; });
  return out;
}

std::string_view take_until(std::string_view& rest, std::string_view any) {
  const std::size_t end = std::min(rest.find_first_of(any), rest.size());
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(end);
  return taken;
}

bool is_single_dot(std::string_view segment) { return segment == "." || equals_ignoring_case(segment, "%2e"); }

bool is_double_dot(std::string_view segment) {
  return segment == ".." || equals_ignoring_case(segment, ".%2e") || equals_ignoring_case(segment, "%2e.") ||
         equals_ignoring_case(segment, "%2e%2e");
}

// `text` begins with a slash or is empty. The path without dot segments, encoded.
std::string normal_path(std::string_view text) {
  if (text.empty()) return "/";
  std::string path;
  std::vector<std::size_t> segments;  // where each one's slash stands in `path`
  while (!text.empty()) {
    text.remove_prefix(1);
    const std::string_view segment = take_until(text, slashes);
    const bool is_last = text.empty();
    if (is_double_dot(segment)) {
      if (!segments.empty()) {
        path.resize(segments.back());
        segments.pop_back();
      }
    }
    if (is_double_dot(segment) || is_single_dot(segment)) {
      if (is_last) path.push_back('/');
      continue;
    }
    segments.push_back(path.size());
    path.push_back('/');
    append_encoded(path, segment, EncodeSet::path);
  }
  return path;
}

void read_userinfo(std::string_view userinfo, Url& url) {
  const std::size_t colon = std::min(userinfo.find(':'), userinfo.size());
  append_encoded(url.username, userinfo.substr(0, colon), EncodeSet::userinfo);
  if (colon < userinfo.size()) append_encoded(url.password, userinfo.substr(colon + 1), EncodeSet::userinfo);
}

Status read_port(std::string_view digits, Url& url) {
  std::uint32_t port = 0;
  for (char c : digits) {
    if (c < '0' || c > '9') return malformed("port is not a number");
    port = port * 10 + static_cast<std::uint32_t>(c - '0');
    if (port > 65535) return malformed("port is too large");
  }
  const bool is_default = port == (url.scheme == "https" ? 443U : 80U);
  if (!digits.empty() && !is_default) url.port = static_cast<std::uint16_t>(port);
  return done();
}

Status read_authority(std::string_view authority, Url& url) {
  const std::size_t at = authority.rfind('@');
  if (at != std::string_view::npos) {
    read_userinfo(authority.substr(0, at), url);
    authority.remove_prefix(at + 1);
  }
  const std::size_t bracket = authority.starts_with("[") ? authority.find(']') : 0;
  const std::size_t colon = authority.find(':', std::min(bracket, authority.size()));
  const std::string_view host = authority.substr(0, std::min(colon, authority.size()));
  if (host.empty()) return malformed("no host");
  ASSIGN_OR_RETURN(Host parsed, parse_host(host));
  url.host = std::move(parsed.ascii);
  url.host_kind = parsed.kind;
  return colon == std::string_view::npos ? done() : read_port(authority.substr(colon + 1), url);
}

// The scheme of the text, which moves behind the colon; empty if it is not for us.
std::string take_scheme(std::string_view& rest) {
  if (rest.size() >= 2 && slashes.find(rest[0]) != std::string_view::npos && slashes.find(rest[1]) != std::string_view::npos)
    return "https";
  for (std::string_view scheme : {"https", "http"}) {
    if (starts_with_ignoring_case(rest, scheme) && rest.size() > scheme.size() && rest[scheme.size()] == ':') {
      rest.remove_prefix(scheme.size() + 1);
      return std::string(scheme);
    }
  }
  return {};
}

}  // namespace

Result<Url> parse(std::string_view text) {
  if (text.size() > url_bytes_max) return Error{ErrorKind::limit_exceeded, "URL is too long"};
  const std::string input = cleaned(text);
  std::string_view rest = input;
  Url url;
  url.scheme = take_scheme(rest);
  if (url.scheme.empty()) return Error{ErrorKind::unsupported, "neither http nor https"};
  rest.remove_prefix(std::min(rest.find_first_not_of(slashes), rest.size()));
  RETURN_IF_ERROR(read_authority(take_until(rest, "/\\?#"), url));
  url.path = normal_path(take_until(rest, "?#"));
  if (rest.starts_with("?")) {
    rest.remove_prefix(1);
    append_encoded(url.query.emplace(), take_until(rest, "#"), EncodeSet::query);
  }
  if (rest.starts_with("#")) append_encoded(url.fragment.emplace(), rest.substr(1), EncodeSet::fragment);
  return url;
}

std::string Url::href() const {
  std::string out = scheme + "://";
  if (has_userinfo()) {
    out += username;
    if (!password.empty()) out += ":" + password;
    out += "@";
  }
  out += host;
  if (port) out += ":" + std::to_string(*port);
  out += path;
  if (query) out += "?" + *query;
  if (fragment) out += "#" + *fragment;
  return out;
}

}  // namespace mailhold::url
