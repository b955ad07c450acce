// LinkWrapper: turns the links of a message into links of our link host, readable host first:
//   https://links.example/www.shop.example/AbC...   Needs no database, only the tenant's link key.
// One instance serves all threads.
#pragma once

#include <string>
#include <string_view>

#include "features/links/link_token.h"
#include "formats/url/url.h"

namespace mailhold::links {

class LinkWrapper {
 public:
  // `link_base`: scheme, host and port of the link host: "https://links.example" or "http://127.0.0.1:8080".
  // invalid_input if it is not a web address or has a path.
  static Result<LinkWrapper> create(std::string_view link_base, LinkKeySource keys);

  // The text to stand in the message instead of `url`; of letters, digits and ":/.-_" only, so that it stands in any
  // attribute and in plain text. Empty: leave it as it is, because it is a link of our own link host already or no web
  // link that any browser follows. A URL longer than token_url_bytes_max becomes a link to a page that says so.
  // not_found: no such tenant; unavailable, timed_out: no key: the message must not go out unwrapped.
  Result<std::string> wrap(const Id& tenant, std::string_view url, const Id& message, Milliseconds now, const Deadline&) const;
  // Whether it is a link of our own link host.
  bool is_wrapped(const url::Url& url) const;

 private:
  LinkWrapper(url::Url base, LinkKeySource keys);
  url::Url base_;
  std::string prefix_;  // "https://links.example/"
  LinkKeySource keys_;
};

// The host as it stands in the path: the ASCII host; for IPv6 "ipv6-2001-db8--1"; other characters than letters, digits,
// '.', '-' and '_' become '_'.
std::string readable_host(const url::Url& url);
// The same for an address of a token, which may be one that cannot be read: "unreadable".
std::string readable_host(std::string_view url);

inline constexpr std::string_view too_long_token = "too-long";  // stands where the token of a too long URL would

// The readable host and the token out of a wrapped link, of its path or of the path with a query; invalid_input if it is
// neither. A token alone comes back with an empty host.
struct WrappedPath {
  std::string_view host;
  std::string_view token;
};
Result<WrappedPath> split_link(std::string_view link);

}  // namespace mailhold::links
