// Lines of an indicator file and rules of a tenant, and an address that is looked up: the first line of the input is the
// address, the others are rules.
#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "features/links/indicators.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  return {
      "http://www.bad.example:8080/a?b#c\n*.bad.example\nworse.example\nhttps://half.example/bad\nsha256:" + std::string(64, 'a'),
      "http://half.example/bad/x\nhttp://half.example/bad"};
}

std::vector<std::string> fuzz_words() { return {"\n", "*.", "http://", "sha256:", "/", "?", "#", "."}; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  links::RuleSet rules;
  std::string_view address;
  bool is_first = true;
  for (const std::string_view line : split(input, '\n')) {
    if (std::exchange(is_first, false)) {
      address = line;
      continue;
    }
    const std::size_t before = rules.size();
    if (!rules.add(line) && rules.size() != before) std::abort();
  }
  const auto url = url::parse(address);
  if (!url) return 0;
  static_cast<void>(rules.matches(*url));
  // A rule that is the address itself, or its host, always matches; whatever other rules there are.
  if (!url->fragment && rules.add(url->href()) && !rules.matches(*url)) std::abort();
  if (rules.add(url->host) && !rules.matches(*url)) std::abort();
  return 0;
}
