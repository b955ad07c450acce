#include "features/scanning/checks/zip_archive.h"

#include <gtest/gtest.h>

#include "fakes/compound_file.h"
#include "fakes/stored_zip.h"

namespace mailhold::scanning {
namespace {

std::string repeated(const std::string& piece, std::size_t bytes) {
  std::string all;
  while (all.size() < bytes) all += piece;
  return all;
}

std::string local_header(std::size_t name_size) {
  return "PK\3\4" + std::string(22, 'x') + little_endian_bytes(name_size, 2) + std::string(2, 'x');
}
std::string directory_header(std::size_t name_size) {
  return "PK\1\2" + std::string(24, 'x') + little_endian_bytes(name_size, 2) + std::string(16, 'x');
}

TEST(ZipArchiveTest, RecordsAreListedWhereverTheyStandUpToALimit) {
  const std::string name(4096, 'n');
  const std::string archive = stored_zip({{"a", "1"}, {name, "2"}, {"c", "3"}});
  const ZipListing listing = list_zip(archive, 3);
  ASSERT_EQ(listing.entries.size(), 3U);
  EXPECT_EQ(listing.entries[1].name, name);
  EXPECT_FALSE(listing.truncated);
  EXPECT_TRUE(list_zip(archive, 2).truncated);
  EXPECT_EQ(list_zip(archive.substr(0, archive.find("PK\1\2")), 3).entries.size(), 3U);
  // A longer one is not listed, and known not to be.
  const ZipListing without = list_zip(stored_zip({{"a", "1"}, {name + "n", "2"}, {"c", "3"}}), 3);
  ASSERT_EQ(without.entries.size(), 2U);
  EXPECT_EQ(without.entries[1].name, "c");
  EXPECT_TRUE(without.truncated);
}

// Each is 32 MiB and would cost a hundred gigabytes of comparing, or half a gigabyte of names.
TEST(ZipArchiveTest, NamesOverNamesCostNeitherTimeNorMemory) {
  constexpr std::size_t most = 32U << 20, entries_max = 4096;
  const auto bytes_of_names = [](const ZipListing& listing) {
    std::size_t bytes = 0;
    for (const ZipEntry& entry : listing.entries) bytes += entry.name.size();
    return bytes;
  };
  for (const std::size_t name_size : {4096U, 65'535U}) {
    // The one name that is listed is that of all local headers.
    const std::string headers = repeated(local_header(name_size), most);
    const ZipListing of_headers = list_zip(directory_header(name_size) + headers, entries_max);
    EXPECT_TRUE(of_headers.truncated) << name_size;
    EXPECT_LE(of_headers.entries.size(), 1U) << name_size;
    const ZipListing of_directory = list_zip(repeated(directory_header(name_size), most), entries_max);
    EXPECT_TRUE(of_directory.truncated) << name_size;
    EXPECT_LE(bytes_of_names(of_directory), entries_max * 4096) << name_size;
  }
}

}  // namespace
}  // namespace mailhold::scanning
