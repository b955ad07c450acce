// find_links: the places of an HTML text where a click leads to the web, as spans of
// the source, so that a rewriter changes those bytes and no other.
// What a browser does decides (HTML Standard, 13.2.5 Tokenization): entities, unclosed
// quotes, comments, raw text. Nothing is rendered and no tree is built. Linear in time,
// no I/O, any thread.
//
// What counts as a link: docs/guide/links.md
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mailhold::html {

struct HtmlLink {
  std::size_t offset = 0;  // of the value in the source, quotes not included
  std::size_t length = 0;  // source bytes to replace
  char quote = 0;          // '"' or '\'' around the attribute's value, 0 when unquoted
  std::string url;         // absolute http or https URL, UTF-8: entities decoded, tabs and line ends removed,
                           // "//host" completed to https, relative ones resolved when <base href> gives a web address
};

struct HtmlLinks {
  std::vector<HtmlLink> links;  // by offset, never overlapping
  bool ambiguous =
      false;  // browsers and mail programs may disagree about where tags begin; links of every reading are in the list
  bool truncated = false;  // more than links_max: the rest is not in the list
};

inline constexpr std::size_t links_max = 10'000;

// The text must be in an encoding that keeps ASCII (UTF-8, Latin, ...): UTF-16 is converted by the caller.
// Bytes that are not UTF-8 are read as Latin-1 in `url`.
HtmlLinks find_links(std::string_view html);

// The text so written that it stands as an attribute's value in double, single or no quotes.
std::string escape_for_attribute(std::string_view text);

}  // namespace mailhold::html
