#include "platform/blobs/files/file_blobs.h"

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "platform/blobs/blob_store_contract.h"

namespace mailhold::blobs {
namespace {

std::filesystem::path fresh_folder() {
  std::string pattern = testing::TempDir() + "/blobs-XXXXXX";
  return ::mkdtemp(pattern.data());
}

std::unique_ptr<BlobStore> make_file_store() { return *FileBlobs::open(fresh_folder()); }

INSTANTIATE_TEST_SUITE_P(Files, BlobStoreContract, testing::Values(make_file_store));

Deadline soon() { return Deadline::after(std::chrono::seconds(10)); }

TEST(FileBlobs, does_not_list_what_a_crash_left_unfinished_and_clears_it) {
  const auto folder = fresh_folder();
  std::filesystem::create_directories(folder / "unfinished");
  std::ofstream(folder / "unfinished" / "0") << "half";
  auto store = *FileBlobs::open(folder);
  EXPECT_TRUE(store->list("", soon())->empty());
  EXPECT_TRUE(std::filesystem::is_empty(folder / "unfinished"));
}

TEST(FileBlobs, a_full_disk_is_unavailable_and_leaves_nothing) {
  auto store = *FileBlobs::open(fresh_folder());
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit tight = before;
  tight.rlim_cur = 1000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  EXPECT_EQ(store->put("pack-1", std::string(5000, 'x'), soon()).error().kind, ErrorKind::unavailable);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_TRUE(store->list("", soon())->empty());
  EXPECT_TRUE(store->put("pack-1", std::string(5000, 'x'), soon()));
}

}  // namespace
}  // namespace mailhold::blobs
