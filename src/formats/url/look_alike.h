// Look-alikes: a host that a person may take for one of the tenant's own domains.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mailhold::url {

enum class LookAlike {
  none,
  homograph,  // reads the same: "examp1e.com", Cyrillic letters, "rn" for "m"
  typo,       // a letter away: "exmaple.com", "example.co"; two letters for long names
  embedded,   // the whole domain as a part of the host: "example.com.evil.net", "example-com.net"
};

struct Resemblance {
  LookAlike kind = LookAlike::none;
  std::string domain;  // the one of `domains` that it resembles
};

// The tenant's own domains, made ready for many questions. Any thread.
class OwnDomains {
 public:
  OwnDomains() = default;
  // In ASCII, any case. What is no domain (fewer than two labels, an empty one) is left out, and what comes after the first
  // 1,000.
  explicit OwnDomains(std::span<const std::string> domains);

  // `host` in ASCII form (Url::host), not an IP literal. A host within one of the domains resembles none.
  Resemblance resembled_by(std::string_view host) const;
  // The domains as they were given, in lower case.
  bool contains(std::string_view domain) const;

 private:
  struct Domain {
    std::string ascii;
    std::size_t label_count = 0;
    std::string look;         // skeleton of the form that people read
    std::string look_dotted;  // with hyphens as dots
  };
  std::vector<Domain> domains_;
};

// Whether an international label of the host (ASCII form) pretends to be another: it mixes scripts that no language
// mixes, or holds no Latin letter and yet reads as plain ASCII.
bool is_disguised(std::string_view host);

// What the text looks like: letters folded so that texts which look alike become equal (UTS 39 skeleton without
// accents, and on top of it the ASCII pairs that a reader confuses). For comparison only.
std::string skeleton(std::string_view utf8);

}  // namespace mailhold::url
