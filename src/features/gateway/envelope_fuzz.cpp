// Heads of spool items and directory snapshots, whatever their bytes: what is read is written again as it was.
#include <cstdint>
#include <cstdlib>

#include "features/gateway/directory.h"
#include "features/gateway/envelope.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace mailhold::gateway;
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  if (const auto message = parse_accepted(input); message && write_accepted(*message) != input) std::abort();
  if (auto snapshot = parse_directory(input)) {
    if (write_directory(*snapshot) != input) std::abort();
    if (const auto directory = Directory::build(std::move(*snapshot))) (void)directory->find("ann", "one.test");
  }
  return 0;
}
