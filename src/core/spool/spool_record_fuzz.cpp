#include <cstdlib>

#include "core/spool/spool_format.h"

// The clear parts of both record types: whatever parses must be written back the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold::spool;
  const std::string_view payload(reinterpret_cast<const char*>(data), size);
  if (const auto key = parse_key_record(payload); key && encode(*key) != payload) std::abort();
  if (const auto item = parse_item_record(payload); item && encode_without_row(*item) + std::string(item->row) != payload)
    std::abort();
  return 0;
}
