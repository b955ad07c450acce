// What may be deleted: nothing that rows of another time, or a rebuild that is not over, have yet to name.
#include <algorithm>
#include <thread>

#include "core/store/bundle_fixture.h"

namespace mailhold::store {
namespace {

namespace fs = std::filesystem;

// Does something when it is first asked what it has.
class InterruptedBlobs final : public blobs::BlobStore {
 public:
  explicit InterruptedBlobs(std::unique_ptr<blobs::BlobStore> blobs) : blobs_(std::move(blobs)) {}
  Status put(std::string_view name, std::string_view bytes, const Deadline& deadline) override {
    return blobs_->put(name, bytes, deadline);
  }
  Result<std::string> get(std::string_view name, const Deadline& deadline) override { return blobs_->get(name, deadline); }
  Status remove(std::string_view name, const Deadline& deadline) override { return blobs_->remove(name, deadline); }
  Result<std::vector<std::string>> list(std::string_view prefix, const Deadline& deadline) override {
    if (const auto once = std::exchange(meanwhile, nullptr)) once();
    return blobs_->list(prefix, deadline);
  }
  std::function<void()> meanwhile;

 private:
  const std::unique_ptr<blobs::BlobStore> blobs_;
};

class PackSpaceTest : public BundleFixture {
 protected:
  // Segments of which each holds one letter that stays and several of another day.
  void fill_segments() {
    for (int i = 0; i < 30; ++i) {
      const bool stays = i % 10 == 0;
      const Composed message = compose(random_bytes(60'000), random_bytes(60'000));
      const Id id = Id::random();
      ASSERT_TRUE(keep(message, id, stays ? first_day + 1 : first_day));
      if (stays) kept[id] = message.bytes;
    }
  }
  void expect_survivors() {
    for (const auto& [id, bytes] : kept) EXPECT_EQ(found(id), bytes);
  }
  std::set<fs::path> pack_files() {
    std::set<fs::path> files;
    for (const auto& entry : fs::directory_iterator(settings.folder / "packs")) files.insert(entry.path());
    return files;
  }
  void close() {
    store.reset();
    records.reset();
  }
};

TEST_F(PackSpaceTest, rows_that_are_older_than_the_packs_delete_nothing_until_the_places_are_written_anew) {
  fill_segments();
  close();
  const fs::path file = settings.folder / "store.db", copy = settings.folder / "store.db.copy";
  fs::copy_file(file, copy);
  open();
  ASSERT_TRUE(store->expire_day(tenant, first_day, soon()));
  ASSERT_GT(store->collect(soon())->moved, 0U);
  keep_letters(300, "so that what was moved lies in a finished segment", 4000);
  close();
  fs::copy_file(copy, file, fs::copy_options::overwrite_existing);
  open();
  const std::set<fs::path> before = pack_files();
  const auto refused = store->collect(soon());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::corrupt);
  EXPECT_NE(refused.error().detail.find("mailhold backup check --set-places"), std::string::npos) << refused.error().detail;
  EXPECT_TRUE(std::ranges::includes(pack_files(), before));
  ASSERT_TRUE(store->rebuild(soon()));
  const auto has_no_key = [&](const auto& each) {
    const auto bytes = store->retrieve(tenant, each.first, soon());
    return !bytes && bytes.error().kind == ErrorKind::not_found;
  };
  std::erase_if(kept, has_no_key);
  EXPECT_EQ(kept.size(), 3U) << "the letters that came since have no keys any more";
  expect_survivors();
  // What the older rows name of the day that went is nowhere, and does not keep all space for ever.
  ASSERT_TRUE(store->collect(soon()));
  expect_survivors();
  open();
  EXPECT_TRUE(store->collect(soon()));
  expect_survivors();
}

TEST_F(PackSpaceTest, nothing_is_deleted_while_the_places_are_written_anew) {
  fill_segments();
  close();
  records = *records::open(address, soon());
  auto interrupted = std::make_unique<InterruptedBlobs>(*blobs::FileBlobs::open(settings.folder / "blobs"));
  std::function<void()>& meanwhile = interrupted->meanwhile;
  blobs = std::move(interrupted);
  store = *MessageStore::open(settings, *records, *blobs, keys);
  ASSERT_TRUE(store->expire_day(tenant, first_day, soon()));
  const std::set<fs::path> before = pack_files();
  meanwhile = [&] {
    std::thread([&] {
      const auto reclaimed = store->collect(soon());
      ASSERT_TRUE(reclaimed);
      EXPECT_EQ(reclaimed->segments, 0U);
    }).join();
  };
  ASSERT_TRUE(store->rebuild(soon()));
  EXPECT_FALSE(meanwhile);
  EXPECT_TRUE(std::ranges::includes(pack_files(), before));
  EXPECT_GT(store->collect(soon())->segments, 0U);
  // A file that comes while the others are looked through is looked through too.
  const fs::path first = *pack_files().begin(), away = settings.folder / "away";
  fs::rename(first, away);
  ASSERT_TRUE(records->execute("UPDATE store_wraps SET position = position + 3", {}, soon()));
  meanwhile = [&] { fs::rename(away, first); };
  ASSERT_TRUE(store->rebuild(soon()));
  expect_survivors();
}

}  // namespace
}  // namespace mailhold::store
