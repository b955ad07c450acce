#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "core/spool/spool_format.h"
#include "core/spool/spool_reader.h"
#include "core/spool/spool_writer.h"
#include "formats/sealed/box.h"
#include "platform/crypto/x25519.h"

namespace mailhold::spool {
namespace {

namespace fs = std::filesystem;
using segments::Visit;

constexpr Milliseconds noon = 1'790'000'000'000;

fs::path fresh_folder() {
  std::string pattern = testing::TempDir() + "/spool-XXXXXX";
  return ::mkdtemp(pattern.data());
}

Deadline soon() { return Deadline::after(std::chrono::seconds(20)); }

// keyd for one test: a key pair for each tenant.
class FakeKeyd {
 public:
  PublicKeyLookup lookup() {
    return [this](Id tenant) -> Result<SpoolPublicKey> {
      ++lookups;
      return SpoolPublicKey{3, pair_of(tenant).public_key};
    };
  }
  BoxOpener opener() {
    return [this](Id tenant, std::uint32_t version, std::string_view box, std::string_view context) -> Result<SecretText> {
      ++opened;
      EXPECT_EQ(version, 3U);
      ASSIGN_OR_RETURN(const sealed::Context parsed, sealed::Context::parse(context));
      EXPECT_EQ(parsed.tenant, tenant);
      return sealed::open_box(pair_of(tenant).private_key.reveal(), parsed, box);
    };
  }
  std::atomic<int> lookups = 0;
  std::atomic<int> opened = 0;

 private:
  const crypto::X25519KeyPair& pair_of(Id tenant) {
    const std::lock_guard lock(mutex_);
    const auto found = pairs_.find(tenant);
    return found != pairs_.end() ? found->second : pairs_.emplace(tenant, crypto::x25519_generate()).first->second;
  }
  std::mutex mutex_;
  std::map<Id, crypto::X25519KeyPair> pairs_;
};

class Spool : public testing::Test {
 protected:
  std::unique_ptr<SpoolWriter> open_writer(std::uint64_t segment_bytes = 1U << 20) {
    segments::SegmentSettings settings;
    settings.folder = folder;
    settings.segment_bytes = segment_bytes;
    settings.file_mode = 0640;
    return *SpoolWriter::open(settings, "eu", keyd.lookup());
  }
  SpoolReader reader() { return SpoolReader(folder, "eu", keyd.opener()); }
  SpoolItem item(const std::string& body, Milliseconds at = noon) { return {Id::random(), tenant, at, "head of " + body, body}; }
  std::vector<SpoolEntry> entries(const SpoolReader& from) {
    std::vector<SpoolEntry> found;
    EXPECT_TRUE(from.scan({}, [&found](const SpoolEntry& entry) {
      found.push_back(entry);
      return Visit::go_on;
    }));
    return found;
  }
  std::string all_bytes() {
    std::string bytes;
    for (const auto& entry : fs::directory_iterator(folder)) {
      std::ifstream file(entry.path(), std::ios::binary);
      bytes.append(std::istreambuf_iterator<char>(file), {});
    }
    return bytes;
  }
  fs::path file_of(const Location& location) { return folder / segments::segment_file_name(location.segment); }
  void overwrite(const Location& location, std::uint64_t offset, const std::string& bytes) {
    std::fstream file(file_of(location), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset));
    file << bytes;
  }

  fs::path folder = fresh_folder();
  FakeKeyd keyd;
  Id tenant = Id::random();
};

TEST_F(Spool, gives_back_what_was_accepted) {
  auto writer = open_writer();
  const SpoolItem sent{Id::random(), tenant, noon, "head", random_bytes(100'000)};
  const Location location = *writer->append_and_wait(sent, soon());
  SpoolReader back = reader();
  const SpoolItem got = *back.read(location);
  EXPECT_EQ(got.message, sent.message);
  EXPECT_EQ(got.tenant, sent.tenant);
  EXPECT_EQ(got.accepted_at, noon);
  EXPECT_EQ(got.head, "head");
  EXPECT_EQ(got.body, sent.body);
}

TEST_F(Spool, asks_for_keys_once_for_each_tenant_and_hour) {
  auto writer = open_writer(64U << 10);
  std::vector<Location> locations;
  for (int i = 0; i < 30; ++i) locations.push_back(*writer->append_and_wait(item(std::string(6000, 'x')), soon()));
  EXPECT_EQ(keyd.lookups, 1);
  locations.push_back(*writer->append_and_wait(item("next hour", noon + 3'600'000), soon()));
  EXPECT_EQ(keyd.lookups, 2);
  SpoolReader back = reader();
  for (const Location& location : locations) EXPECT_TRUE(back.read(location));
  EXPECT_EQ(keyd.opened, 2);
  EXPECT_GT(locations.back().segment, locations.front().segment);
}

TEST_F(Spool, each_segment_can_be_read_without_the_others) {
  auto writer = open_writer(64U << 10);
  const Location first = *writer->append_and_wait(item(std::string(40'000, 'x')), soon());
  const Location second = *writer->append_and_wait(item(std::string(40'000, 'y')), soon());
  ASSERT_GT(second.segment, first.segment);
  SpoolReader back = reader();
  EXPECT_EQ(*back.finished(), std::vector<std::uint64_t>{first.segment});
  ASSERT_TRUE(back.read(first));
  ASSERT_TRUE(back.remove(first.segment));
  EXPECT_EQ(back.read(second)->body, std::string(40'000, 'y'));
  EXPECT_EQ(back.read(first).error().kind, ErrorKind::not_found);
}

TEST_F(Spool, no_word_of_a_message_lies_on_the_disk) {
  auto writer = open_writer();
  ASSERT_TRUE(writer->append_and_wait({Id::random(), tenant, noon, "alice@example.test", "a quite secret subject"}, soon()));
  const std::string bytes = all_bytes();
  EXPECT_EQ(bytes.find("alice"), std::string::npos);
  EXPECT_EQ(bytes.find("secret"), std::string::npos);
}

TEST_F(Spool, a_scan_from_nothing_finds_all_in_order) {
  std::vector<Id> accepted;
  for (int round = 0; round < 3; ++round) {  // three lives of the gateway
    auto writer = open_writer(64U << 10);
    for (int i = 0; i < 10; ++i) {
      const SpoolItem sent = item(std::string(9000, 'x'));
      ASSERT_TRUE(writer->append_and_wait(sent, soon()));
      accepted.push_back(sent.message);
    }
  }
  SpoolReader back = reader();
  std::vector<Id> found;
  for (const SpoolEntry& entry : entries(back)) {
    found.push_back(entry.message);
    EXPECT_EQ(entry.tenant, tenant);
    EXPECT_EQ(back.read(entry.location)->message, entry.message);
  }
  EXPECT_EQ(found, accepted);
}

TEST_F(Spool, a_scan_goes_on_where_the_last_one_ended) {
  auto writer = open_writer(64U << 10);
  SpoolReader back = reader();
  Position next;
  std::string seen;
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(writer->append_and_wait(item(std::string(10'000, static_cast<char>('a' + i))), soon()));
    const auto visit = [&](const SpoolEntry& entry) {
      seen += back.read(entry.location)->body.front();
      return Visit::go_on;
    };
    next = *back.scan(next, visit);
  }
  EXPECT_EQ(seen, "abcdefghijkl");
}

TEST_F(Spool, starts_again_from_the_synced_bytes_only) {
  // What a power cut leaves: each file up to what was flushed when the last acknowledged item was, and nothing behind it.
  std::vector<Location> acknowledged;
  {
    auto writer = open_writer(64U << 10);
    for (int i = 0; i < 20; ++i) acknowledged.push_back(*writer->append_and_wait(item(std::string(5000, 'x')), soon()));
  }
  std::map<std::uint64_t, std::uint64_t> synced;
  for (const Location& location : acknowledged) synced[location.segment] = location.synced_to;
  for (const auto& [segment, bytes] : synced) fs::resize_file(folder / segments::segment_file_name(segment), bytes);
  SpoolReader back = reader();
  EXPECT_EQ(entries(back).size(), acknowledged.size());
  for (const Location& location : acknowledged) EXPECT_TRUE(back.read(location));
}

TEST_F(Spool, steps_over_damage_and_finds_what_lies_behind) {
  std::vector<Location> locations;
  {
    auto writer = open_writer();
    for (int i = 0; i < 4; ++i) locations.push_back(*writer->append_and_wait(item("body " + std::to_string(i)), soon()));
  }
  overwrite(locations[1], locations[1].offset + 20, "damage");
  SpoolReader back = reader();
  EXPECT_EQ(entries(back).size(), 3U);
  EXPECT_EQ(back.read(locations[1]).error().kind, ErrorKind::corrupt);
  EXPECT_EQ(back.read(locations[3])->body, "body 3");
}

TEST_F(Spool, finds_an_hour_key_in_another_segment_when_its_record_is_damaged) {
  auto writer = open_writer(64U << 10);
  const Location first = *writer->append_and_wait(item(std::string(40'000, 'x')), soon());
  ASSERT_TRUE(writer->append_and_wait(item(std::string(40'000, 'y')), soon()));
  overwrite(first, 30, "damage");  // the key record is the first one
  SpoolReader back = reader();
  EXPECT_EQ(back.read(first)->body, std::string(40'000, 'x'));
}

TEST_F(Spool, an_item_of_another_tenant_or_message_does_not_open) {
  auto writer = open_writer();
  ASSERT_TRUE(writer->append_and_wait(item("body"), soon()));
  SpoolReader back = reader();
  std::string key_record, item_record;
  segments::SegmentReader raw(folder);
  ASSERT_TRUE(raw.scan({raw.list()->front().number, 0}, [&](const Location&, std::uint16_t type, std::string_view payload) {
    (type == type_hour_key ? key_record : item_record) = std::string(payload);
    return Visit::go_on;
  }));
  // The same bytes in a spool of their own, but for one field: the message id, the tenant, the time.
  for (const std::size_t byte : {0U, 16U, 39U}) {
    const fs::path other = fresh_folder();
    segments::SegmentSettings settings;
    settings.folder = other;
    settings.segment_bytes = 1U << 20;
    settings.file_mode = 0640;
    auto forger = *segments::SegmentWriter::open(settings);
    std::string changed = item_record;
    changed[byte] = static_cast<char>(changed[byte] ^ 1);
    std::vector<segments::NewRecord> records;
    records.push_back({type_hour_key, key_record, ""});
    records.push_back({type_item, changed, ""});
    records.push_back({type_item, item_record, ""});
    const std::vector<Location> at = *forger->append_and_wait(std::move(records), soon());
    SpoolReader victim(other, "eu", keyd.opener());
    EXPECT_EQ(victim.read(at[1]).error().kind, ErrorKind::corrupt) << byte;
    EXPECT_TRUE(victim.read(at[2]));
  }
}

TEST_F(Spool, a_key_that_is_away_is_unavailable_and_comes_back) {
  auto writer = open_writer();
  const Location location = *writer->append_and_wait(item("body"), soon());
  bool away = true;
  BoxOpener open_box = keyd.opener();
  SpoolReader back(folder, "eu",
                   [&](Id id, std::uint32_t version, std::string_view box, std::string_view context) -> Result<SecretText> {
                     if (away) return Error{ErrorKind::unavailable, "keyd is away"};
                     return open_box(id, version, box, context);
                   });
  EXPECT_EQ(back.read(location).error().kind, ErrorKind::unavailable);
  away = false;
  EXPECT_TRUE(back.read(location));
}

TEST_F(Spool, sixty_four_sessions_spool_at_once) {
  auto writer = open_writer(64U << 20);
  constexpr int sessions = 64, each = 40;
  const std::string body = random_bytes(8192);
  std::atomic<int> kept = 0;
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < sessions; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < each; ++n) kept += !!writer->append_and_wait(item(body), soon());
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  EXPECT_EQ(kept, sessions * each);
  EXPECT_EQ(keyd.lookups >= 1, true);
  EXPECT_EQ(entries(reader()).size(), static_cast<std::size_t>(kept));
  std::printf("64 sessions of 8 KiB: %.0f sealed items/s, %.1f for each flush\n", kept / seconds,
              double(kept) / double(writer->counts().flushes));
}

}  // namespace
}  // namespace mailhold::spool
