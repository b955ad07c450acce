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

std::string local_header(std::size_t name_size, std::size_t version = 20) {
  return "PK\3\4" + little_endian_bytes(version, 2) + std::string(20, 'x') + little_endian_bytes(name_size, 2) +
         std::string(2, 'x');
}
std::string directory_header(std::size_t name_size) {
  return "PK\1\2xx" + little_endian_bytes(20, 2) + std::string(20, 'x') + little_endian_bytes(name_size, 2) +
         std::string(16, 'x');
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
  // In packed bytes the signature stands once in 4 GiB, by chance, and what follows it is no version.
  const std::string by_chance = local_header(50'000, 0x9d3c) + std::string(60'000, 'p');
  EXPECT_FALSE(list_zip(stored_zip({{"a", by_chance}}), 3).truncated);
  EXPECT_TRUE(list_zip(stored_zip({{"a", local_header(50'000) + std::string(60'000, 'p')}}), 3).truncated);
}

std::string with_comment(std::string archive, const std::string& comment) {
  return archive.replace(archive.size() - 2, 2, little_endian_bytes(comment.size(), 2)) + comment;
}

TEST(ZipArchiveTest, ADirectoryThatListsLessThanThereIsIsKnown) {
  const std::string five = stored_zip({{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}, {"e", "5"}});
  const auto is_exact = [](const std::string& archive) {
    const auto listing = list_zip_directory(archive, 100);
    return listing && !listing->truncated;
  };
  EXPECT_TRUE(is_exact(five));
  EXPECT_TRUE(is_exact(stored_zip({})));
  EXPECT_TRUE(is_exact(with_comment(five, "of an archive: PK\5\6")));
  EXPECT_TRUE(is_exact(with_comment(five, std::string(65'535, 'x'))));
  EXPECT_TRUE(is_exact(stored_zip({{"inner.zip", five}})));
  const std::size_t end = five.rfind("PK\5\6");
  const auto with = [&](std::size_t at, std::size_t value, int bytes) {
    std::string changed = five;
    return changed.replace(end + at, static_cast<std::size_t>(bytes), little_endian_bytes(value, bytes));
  };
  EXPECT_FALSE(is_exact(with(10, 1, 2)));
  EXPECT_FALSE(is_exact(with(10, 0, 2)));
  EXPECT_FALSE(is_exact(with(10, 6, 2)));
  EXPECT_EQ(list_zip_directory(with(10, 1, 2), 100)->entries.size(), 1U);
  // It begins at its last entry.
  std::string changed = with(10, 1, 2);
  changed.replace(end + 16, 4, little_endian_bytes(five.rfind("PK\1\2"), 4));
  EXPECT_FALSE(is_exact(changed));
  // An end in the comment of the other: of nothing, and with a comment of its own that is too long or too short.
  const std::string no_entries = std::string("PK\5\6") + std::string(12, '\0') + little_endian_bytes(five.size(), 4);
  EXPECT_FALSE(is_exact(with_comment(five, no_entries + std::string(2, '\0'))));
  for (const std::string& comment : {no_entries + std::string("\1\0", 2), no_entries + std::string(3, '\0')})
    EXPECT_EQ(list_zip_directory(with_comment(five, comment), 100)->entries.size(), 5U);
  // More than the count has room for.
  const std::vector<std::pair<std::string, std::string>> many(65'536 + 5, {"a", ""});
  EXPECT_FALSE(is_exact(stored_zip(many)));
  EXPECT_FALSE(list_zip_directory(five.substr(0, five.size() - 1), 100));
  EXPECT_FALSE(list_zip_directory(five + "\n", 100));
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
