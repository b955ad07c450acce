// find_links_in_text: the http and https addresses in plain text, as mail programs make
// them clickable: without the full stop, bracket or quotation mark that ends the sentence
// around them. Addresses broken over lines are not joined. Linear in time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mailhold::url {

struct TextLink {
  std::size_t offset = 0;
  std::size_t length = 0;
  std::string url;  // the bytes of the span, UTF-8 (Latin-1 is converted); give it to parse()
};

struct TextLinks {
  std::vector<TextLink> links;  // by offset
  bool truncated = false;       // more than text_links_max: the rest is not in the list
};

inline constexpr std::size_t text_links_max = 10'000;

TextLinks find_links_in_text(std::string_view text);

}  // namespace mailhold::url
