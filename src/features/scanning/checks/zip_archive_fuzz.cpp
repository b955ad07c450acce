// An archive of a stranger: the listing and what unpacks stay within their limits.
#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "features/scanning/checks/zip_archive.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  // One stored and one deflated entry, written by Python's zipfile.
  return {mailhold::from_hex("504b030414000000000000002100c241243503000000030000000500000061"
                             "2e747874616263504b0304140000000800000021009ed4cdd00600000064000000"
                             "05000000622e7478744b4ca43d0000504b0102140314000000000000002100c24124"
                             "350300000003000000050000000000000000000000800100000000612e747874504b"
                             "01021403140000000800000021009ed4cdd006000000640000000500000000000000"
                             "0000000080012600000062"
                             "2e747874504b05060000000002000200660000004f0000000000")
              .value_or("PK")};
}

std::vector<std::string> fuzz_words() { return {"PK\1\2", "PK\3\4", "PK\5\6"}; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold::scanning;
  constexpr std::size_t entries_max = 20, bytes_max = 100'000;
  const std::string_view archive(reinterpret_cast<const char*>(data), size);
  const ZipListing listing = list_zip(archive, entries_max);
  if (listing.entries.size() > entries_max) std::abort();
  if (const auto directory = list_zip_directory(archive, entries_max); directory && directory->entries.size() > entries_max)
    std::abort();
  for (const ZipEntry& entry : listing.entries) {
    if (entry.name.size() > size) std::abort();
    const auto unzipped = unzip(archive, entry, bytes_max);
    if (unzipped && (unzipped->bytes.size() > bytes_max || (unzipped->complete && unzipped->too_big))) std::abort();
  }
  return 0;
}
