// Look-alikes: a host that a person may take for one of the tenant's own domains.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace mailhold::url {

enum class LookAlike {
  none,
  homograph,  // reads the same: "examp1e.com", Cyrillic letters, "rn" for "m"
  typo,       // one or two letters away, or the same name under another ending
  embedded,   // the whole domain as the beginning or a part: "example.com.evil.net", "example-com.net"
};

struct Resemblance {
  LookAlike kind = LookAlike::none;
  std::string domain;  // the one of `domains` that it resembles
};

// `host` in ASCII form (Url::host); `domains` in ASCII, lower case. A host within one of the domains resembles none.
// Looks at 1,000 domains at most.
Resemblance resembles(std::string_view host, std::span<const std::string> domains);

// What the text looks like: letters folded so that texts which look alike become equal (UTS 39 skeleton,
// and on top of it the ASCII pairs a reader confuses). For comparison only.
std::string skeleton(std::string_view utf8);

}  // namespace mailhold::url
