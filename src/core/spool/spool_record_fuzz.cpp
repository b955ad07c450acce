#include <cstdlib>

#include "core/spool/spool_format.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  const mailhold::Id id = mailhold::Id::from_bytes("tenant--tenant--");
  return {mailhold::spool::encode(mailhold::spool::KeyRecord{id, id, 1, 1, "box"}),
          mailhold::spool::encode_without_row({id, id, 1000, id, {}}) + "row"};
}

// The clear parts of both record types: whatever parses must be written back the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold::spool;
  const std::string_view payload(reinterpret_cast<const char*>(data), size);
  if (const auto key = parse_key_record(payload); key && encode(*key) != payload) std::abort();
  if (const auto item = parse_item_record(payload); item && encode_without_row(*item) + std::string(item->row) != payload)
    std::abort();
  return 0;
}
