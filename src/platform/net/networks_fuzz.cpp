// Lists of networks of the settings, and addresses of strangers: the list up to the first line end, then an address.
#include <cstdint>
#include <cstdlib>

#include "fuzz_seeds.h"
#include "platform/net/networks.h"

std::vector<std::string> fuzz_seeds() {
  return {"127.0.0.0/8, 10.1.0.0/16, ::1/128\n10.1.2.3", "64:ff9b::/96 192.0.2.0/24\n2002:a00:1::", "fe80::/10\n::ffff:10.0.0.1"};
}

std::vector<std::string> fuzz_words() { return {"/", ".", ":", "::", ",", " ", "\n", "ffff", "128"}; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold::net;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\n'), input.size());
  const std::string address(input.substr(std::min(end + 1, size)));
  static_cast<void>(is_public_address(address));
  const auto networks = Networks::parse(input.substr(0, end));
  if (!networks) return 0;
  if (networks->contains(address) && !networks->permit(address)) std::abort();
  return 0;
}
