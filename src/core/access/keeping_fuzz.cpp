// Retention rules and holds as they come from brokerd and from the disk: whatever parses is written back byte for byte, and a
// hold that goes is always seen.
#include <cstdint>
#include <cstdlib>

#include "core/access/keeping.h"
#include "fuzz_seeds.h"

using namespace mailhold;

std::vector<std::string> fuzz_seeds() {
  const Id id = Id::from_bytes("mailbox-mailbox-");
  access::Keeping keeping;
  keeping.rules = {{{}, 0, 365}, {id, 1, 30}};
  keeping.holds = {{id, "Case 7", "court order", {id}, {1, 3}, 1000, 2000, {id}, 3000}};
  keeping.removals = {{id, 4000}};
  return {access::write_keeping(keeping), access::write_keeping({})};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto keeping = access::parse_keeping(bytes);
  if (!keeping) return 0;
  if (access::write_keeping(*keeping) != bytes || access::keeps_less(*keeping, *keeping)) std::abort();
  for (const access::Hold& hold : keeping->holds) {
    access::Keeping without = *keeping;
    std::erase_if(without.holds, [&](const access::Hold& each) { return each == hold; });
    if (!access::keeps_less(*keeping, without)) std::abort();
  }
  for (const access::RetentionRule& rule : keeping->rules) {
    if (access::days_kept(*keeping, rule.mailbox, rule.type) > access::retention_days_max) std::abort();
  }
  return 0;
}
