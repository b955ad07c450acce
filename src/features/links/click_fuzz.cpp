// A stranger's request to linkd, from its bytes to the page: no target but that of a token of ours is ever redirected to.
#include <cstdint>
#include <cstdlib>

#include "features/links/click_service.h"
#include "features/links/links_api.h"
#include "fuzz_seeds.h"

using namespace mailhold;

namespace {

const Id tenant = Id::from_bytes("tenant--tenant--");

const links::LinkKeySource keys = [](const Id&, std::optional<std::uint32_t> version, const Deadline&) -> Result<links::LinkKey> {
  return links::LinkKey{version.value_or(1), SecretText::copy_of(std::string(32, 'k'))};
};

Deadline soon() { return Deadline::after(std::chrono::seconds(10)); }

links::ClickService& service() {
  static ManualClock clock{1'800'000'000'000};
  static links::Indicators indicators{std::filesystem::path()};
  static links::ClickService made(keys, indicators, clock, [](const links::ClickEvent&) {});
  static const bool has_policies = [] {
    links::LinkPolicies policies;
    policies.tenants[tenant] = {"one", {"one.example"}, {"*.good.example"}, {"bad.example"}};
    made.set_policies(policies);
    return true;
  }();
  static_cast<void>(has_policies);
  return made;
}

std::string path_of(std::string_view url) {
  static const auto wrapper = links::LinkWrapper::create("https://links.example", keys);
  const std::string link = wrapper->wrap(tenant, url, Id(), 0, soon()).value();
  return link.substr(std::string_view("https://links.example").size());
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  const std::string head = " HTTP/1.1\r\nHost: links.example\r\nAccept-Language: de;q=0.8, en\r\n";
  const std::string warned = path_of("http://0ne.example/");
  return {"GET " + path_of("http://www.good.example/a?b") + head + "\r\n", "GET " + warned + "+" + head + "\r\n",
          "POST " + warned + head + "Sec-Fetch-Site: same-origin\r\nContent-Length: 13\r\n\r\ncontinue=AAAA",
          "{\"verb\":\"link.check\",\"tenant\":\"one\",\"url\":\"http://bad.example/\"}",
          "{\"verb\":\"link.open\",\"link\":\"" + warned + "\"}"};
}

std::vector<std::string> fuzz_words() {
  return {"{", "}", "\"", ":", ",", "null", "/", "+", "?", "\r\n", "q=", "continue=", "HEAD"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static_cast<void>(links::answer_verb(service(), bytes, soon()));
  http::RequestParser parser;
  if (parser.feed(bytes) != http::RequestParser::State::complete) return 0;
  const http::Response response = service().answer(parser.request(), soon());
  if (response.status < 200 || response.status > 599) std::abort();
  for (const auto& [name, value] : response.fields) {
    if (value.find_first_of("\r\n") != std::string::npos) std::abort();
    if (name != "Location") continue;
    // Where a reader is sent is what the link let everybody read.
    const auto link = links::split_link(parser.request().target);
    if (!link || links::readable_host(value) != link->host) std::abort();
  }
  return 0;
}
