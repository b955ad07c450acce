// The sealed part of a held message's row: refused, or written again the same.
#include <cstdint>
#include <cstdlib>

#include "features/held/held_items.h"
#include "fuzz_seeds.h"

using namespace mailhold;

std::vector<std::string> fuzz_seeds() {
  held::HeldItem item;
  item.held_for = "virus";
  item.reasons = {{"virus", "Eicar"}, {"malformed", "two boundaries"}};
  item.mail_from = "ann@a.example";
  item.rcpt_to = {"bob@b.example", "cid@b.example"};
  item.client_ip = "192.0.2.1";
  return {held::write_held(item)};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  held::HeldItem item;
  if (held::read_held(bytes, item) && held::write_held(item) != bytes) std::abort();
  return 0;
}
