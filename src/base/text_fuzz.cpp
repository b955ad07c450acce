// The encodings that all other parsers stand on: what decodes is what its encoding gives back.
#include <cstdint>
#include <cstdlib>

#include "base/dns_answer.h"
#include "base/id.h"
#include "base/text.h"
#include "base/utf8.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  return {"0123456789abcdef0123456789abcdef",
          "aGVsbG8gd29ybGQ=",
          "aGVsbG8tX3dvcmxk",
          "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x93\xa7",
          "18446744073709551615",
          "2001:db8::192.0.2.1",
          "www.example.com."};
}

std::vector<std::string> fuzz_words() { return {"=", ".", ":", "\xc3", "\xe2\x82", "\xf0\x9f\x93"}; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto bytes = from_hex(text); bytes && to_hex(*bytes) != to_lower(text)) std::abort();
  if (const auto bytes = from_base64(text); bytes && to_base64(*bytes) != text) {
    // One more "=" than the bytes need is the only other spelling.
    if (from_base64(to_base64(*bytes)) != bytes) std::abort();
  }
  if (const auto bytes = from_base64url(text); bytes && to_base64url(*bytes) != text) std::abort();
  if (const auto id = Id::parse(text); id && id->text() != to_lower(text)) std::abort();
  if (const auto number = to_number(text); number && text.find_first_not_of("0123456789") != std::string_view::npos) std::abort();
  std::string again;
  for (std::size_t at = 0; at < size;) append_utf8(again, next_code_point(text, at));
  if (is_utf8(text) ? again != text : !is_utf8(again)) std::abort();
  if (const auto name = dns::normal_name(text); name && dns::normal_name(*name) != name) std::abort();
  if (const auto address = dns::parse_address(text); address && dns::parse_address(dns::address_text(*address)) != address)
    std::abort();
  return 0;
}
