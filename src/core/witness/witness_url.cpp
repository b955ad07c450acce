#include "core/witness/witness_url.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace mailhold::witness {
namespace {

constexpr std::size_t url_bytes_max = 512;

Error bad_url(const char* what) { return Error{ErrorKind::invalid_input, std::string("URL of a witness: ") + what}; }

bool is_printable(std::string_view text) {
  for (const char letter : text) {
    if (letter <= 0x20 || letter >= 0x7f) return false;
  }
  return true;
}

}  // namespace

Result<WitnessUrl> WitnessUrl::parse(std::string_view text) {
  if (text.size() > url_bytes_max || !is_printable(text)) return bad_url("too long, or with characters that may not stand there");
  WitnessUrl url;
  if (text.starts_with("http://")) {
    url.tls = false;
    url.port = 80;
    text.remove_prefix(7);
  } else if (text.starts_with("https://")) {
    text.remove_prefix(8);
  } else {
    return bad_url("begins with neither https:// nor http://");
  }
  const auto slash = std::min(text.find('/'), text.size());
  std::string_view authority = text.substr(0, slash);
  std::string_view path = text.substr(slash);
  if (authority.find('@') != authority.npos || path.find_first_of("?#") != path.npos)
    return bad_url("has more than host and path");
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    if (end == authority.npos) return bad_url("bracket is not closed");
    url.host = authority.substr(1, end - 1);
    authority.remove_prefix(end + 1);
  } else {
    const auto colon = std::min(authority.find(':'), authority.size());
    url.host = authority.substr(0, colon);
    authority.remove_prefix(colon);
  }
  if (url.host.empty()) return bad_url("has no host");
  if (!authority.empty()) {
    const auto port = authority.starts_with(':') ? to_number(authority.substr(1)) : std::nullopt;
    if (!port || *port == 0 || *port > 65535) return bad_url("port is not a number up to 65535");
    url.port = static_cast<std::uint16_t>(*port);
  }
  while (path.ends_with('/')) path.remove_suffix(1);
  url.path = std::string(path) + "/add-checkpoint";
  return url;
}

}  // namespace mailhold::witness
