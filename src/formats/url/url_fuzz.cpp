#include <cstdlib>

#include "formats/url/host.h"
#include "formats/url/look_alike.h"
#include "formats/url/text_links.h"
#include "formats/url/url.h"
#include "fuzz_seeds.h"

namespace {

void check_url(std::string_view text) {
  const auto url = mailhold::url::parse(text);
  if (!url) return;
  const std::string href = url->href();
  for (char c : href) {
    if (c <= 0x20 || c == 0x7F) std::abort();
  }
  const auto again = mailhold::url::parse(href);
  if (!again || again->href() != href || again->host != url->host) std::abort();
  static const std::string domains[] = {"example.com", "xn--bcher-kva.example"};
  static const mailhold::url::OwnDomains own(domains);
  static_cast<void>(own.resembled_by(url->host));
  mailhold::url::is_disguised(url->host);
}

}  // namespace
std::vector<std::string> fuzz_seeds() {
  return {"http://[1:2:3:4:5:6:7:8]/",
          "see https://user:pass@www.Example.com:8080/a/../b%20c?q#f and <http://[2001:db8::1]/> or http://0x7f.1/.",
          "//xn--bcher-kva.example\\path",
          "http://b\xc3\xbc"
          "cher.example/"};
}

std::vector<std::string> fuzz_words() {
  return {"://", ":", "::", "[", "]", "@", "/", "\\", "..", "%2e", "%", "xn--", "0x", "?", "#", ":1"};
}

// namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_url(text);
  check_url("http://" + std::string(text));
  std::size_t end = 0;
  for (const auto& link : mailhold::url::find_links_in_text(text).links) {
    if (link.offset < end || link.offset + link.length > size) std::abort();
    end = link.offset + link.length;
    check_url(link.url);
  }
  return 0;
}
