#include <cstdlib>

#include "formats/html/html_links.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  return {"<base href=\"http://a.example/x\"><a href=\"y&amp;z\">t</a><a href='//b.example'><img src=http://c.example/>",
          "<meta http-equiv=refresh content=\"0; url=http://a.example/\"><!--[if mso]><a href=http://b.example>x</a><![endif]-->",
          "<script><!--<script></script>--></script><style>x</style><svg><![CDATA[x]]><a xlink:href=\"http://a.example\">"};
}

std::vector<std::string> fuzz_words() {
  return {"<", "</", ">", "\"", "'", "=", "<!--", "-->", "<![if", "&#x", "&amp", ";", "<script", "<svg", "href=", "http://"};
}

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
