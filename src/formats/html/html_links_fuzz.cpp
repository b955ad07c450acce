#include <cstdlib>

#include "formats/html/html_links.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view html(reinterpret_cast<const char*>(data), size);
  const mailhold::html::HtmlLinks links = mailhold::html::find_links(html);
  std::size_t end = 0;
  for (const auto& link : links.links) {
    if (link.offset < end || link.length > size || link.offset + link.length > size) std::abort();
    if (!link.url.starts_with("http")) std::abort();
    end = link.offset + link.length;
  }
  return 0;
}
