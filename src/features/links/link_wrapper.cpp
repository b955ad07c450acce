#include "features/links/link_wrapper.h"

#include <algorithm>

#include "base/text.h"

namespace mailhold::links {
namespace {

constexpr std::string_view unreadable_host = "unreadable";

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool is_readable_char(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_'; }

// Whether a browser with newer Unicode tables than ours may still take the address: only names beyond ASCII differ.
// A percent sign may write such a name, too.
bool may_be_read_elsewhere(std::string_view url) { return !is_ascii(url) || url.find('%') != std::string_view::npos; }

}  // namespace

LinkWrapper::LinkWrapper(url::Url base, LinkKeySource keys)
    : base_(std::move(base)), prefix_(base_.href()), keys_(std::move(keys)) {}

Result<LinkWrapper> LinkWrapper::create(std::string_view link_base, LinkKeySource keys) {
  ASSIGN_OR_RETURN(url::Url base, url::parse(link_base));
  if (base.path != "/" || base.query || base.fragment || base.has_userinfo()) {
    return Error{ErrorKind::invalid_input, "the link base must be a scheme, a host and perhaps a port"};
  }
  return LinkWrapper(std::move(base), std::move(keys));
}

bool LinkWrapper::is_wrapped(const url::Url& url) const {
  return url.host == base_.host && url.port == base_.port && url.scheme == base_.scheme && !url.has_userinfo();
}

Result<std::string> LinkWrapper::wrap(const Id& tenant, std::string_view url, const Id& message, Milliseconds now,
                                      const Deadline& deadline) const {
  const Result<url::Url> parsed = url::parse(url);
  if (parsed && is_wrapped(*parsed)) return std::string();
  if (!parsed && parsed.error().kind == ErrorKind::limit_exceeded) return prefix_ + "too-long/" + std::string(too_long_token);
  if (!parsed && (parsed.error().kind != ErrorKind::invalid_input || !may_be_read_elsewhere(url))) return std::string();
  LinkToken token{tenant, message, now, parsed ? parsed->href() : std::string(url)};
  const std::string start = prefix_ + (parsed ? readable_host(*parsed) : std::string(unreadable_host)) + "/";
  if (token.url.size() > token_url_bytes_max) return start + std::string(too_long_token);
  ASSIGN_OR_RETURN(const LinkKey key, keys_(tenant, std::nullopt, deadline));
  ASSIGN_OR_RETURN(const std::string text, seal_token(token, key));
  return start + text;
}

std::string readable_host(const url::Url& url) {
  std::string host = url.host;
  if (url.host_kind == url::HostKind::ipv6) {
    host = "ipv6-" + host.substr(1, host.size() - 2);
    std::replace(host.begin(), host.end(), ':', '-');
  }
  std::replace_if(host.begin(), host.end(), [](char c) { return !is_readable_char(c); }, '_');
  return host;
}

std::string readable_host(std::string_view url) {
  const Result<url::Url> parsed = url::parse(url);
  return parsed ? readable_host(*parsed) : std::string(unreadable_host);
}

Result<WrappedPath> split_link(std::string_view link) {
  const Error neither{ErrorKind::invalid_input, "not a rewritten link"};
  link = trim(link);
  for (std::string_view scheme : {"https://", "http://"}) {
    if (!starts_with_ignoring_case(link, scheme)) continue;
    link.remove_prefix(scheme.size());
    link.remove_prefix(std::min(link.find('/'), link.size()));
  }
  link = link.substr(0, link.find_first_of("?#"));
  if (link.empty()) return neither;
  if (link[0] != '/') return link.find('/') == std::string_view::npos ? Result<WrappedPath>(WrappedPath{{}, link}) : neither;
  link.remove_prefix(1);
  const std::size_t slash = link.find('/');
  if (slash == 0 || slash == std::string_view::npos || slash + 1 == link.size()) return neither;
  if (link.find('/', slash + 1) != std::string_view::npos) return neither;
  return WrappedPath{link.substr(0, slash), link.substr(slash + 1)};
}

}  // namespace mailhold::links
