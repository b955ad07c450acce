#include <cstdlib>

#include "base/text.h"
#include "features/links/link_policy.h"
#include "features/links/link_token.h"
#include "features/links/link_wrapper.h"
#include "fuzz_seeds.h"

using namespace mailhold;

namespace {

const links::LinkKeySource keys = [](const Id&, std::optional<std::uint32_t> version, const Deadline&) -> Result<links::LinkKey> {
  return links::LinkKey{version.value_or(1), SecretText::copy_of(std::string(32, 'k'))};
};

}  // namespace
std::vector<std::string> fuzz_seeds() {
  const Deadline deadline = Deadline::after(std::chrono::seconds(10));
  const auto wrapper = links::LinkWrapper::create("https://links.example", keys);
  links::LinkPolicies policies;
  policies.tenants[Id::from_bytes("tenant--tenant--")] = {"one", {"one.test"}, {"*.good.example"}, {"bad.example"}};
  return {"https://www.example.com/path?query", encode(policies), "/www.example.com/" + std::string(60, 'A')};
}

std::vector<std::string> fuzz_words() { return {"/", "https://", "http://", "?", "#", "+", "@", ":"}; }

// namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Deadline deadline = Deadline::after(std::chrono::seconds(10));
  // Nobody without the key can write a token that opens.
  if (links::open_token(bytes, keys, deadline) || links::open_token(to_base64url(bytes), keys, deadline)) std::abort();
  if (const auto link = links::split_link(bytes)) static_cast<void>(links::open_token(link->token, keys, deadline));
  if (const auto policies = links::parse_policies(bytes)) {
    if (!links::parse_policies(links::encode(*policies))) std::abort();
  }
  const auto wrapper = links::LinkWrapper::create("https://links.example", keys);
  const auto wrapped = wrapper->wrap(Id(), bytes, Id(), 0, deadline);
  if (!wrapped) std::abort();
  if (wrapped->empty() || wrapped->ends_with(links::too_long_token)) return 0;
  const auto parts = links::split_link(*wrapped);
  if (!parts) std::abort();
  const auto token = links::open_token(parts->token, keys, deadline);
  if (!token || links::readable_host(token->url) != parts->host) std::abort();
  return 0;
}
