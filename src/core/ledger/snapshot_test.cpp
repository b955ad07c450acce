// A start from the state snapshot knows what a start that reads everything knows; a snapshot that is not what it should be is
// seen.
#include "core/evidence/snapshot.h"

#include <gtest/gtest.h>

#include "core/evidence/log_reader.h"
#include "core/evidence/verifier.h"
#include "fakes/temporary_ledger.h"

namespace mailhold::ledger {
namespace {

class LedgerSnapshot : public testing::Test {
 protected:
  void SetUp() override {
    settings.snapshot_after_entries = 100;
    settings.publish_after_entries = 64;
  }
  std::unique_ptr<Log> opened(bool from_snapshot) {
    auto log = std::make_unique<Log>(settings, test_signer(), clock);
    const Status status = log->reopen();
    EXPECT_TRUE(status) << (status ? "" : status.error().detail);
    EXPECT_EQ(log->status().snapshot_size > 0, from_snapshot);
    return log;
  }
  void add(Log& log, int count) {
    for (int i = 0; i < count; ++i)
      ASSERT_TRUE(log.append(test_append(test_id(i % 7), i % 4 == 0 ? Id() : test_id(i % 3)), soon()));
  }
  std::filesystem::path snapshot() const { return settings.folder / snapshot_name; }
  void expect_sound() {
    const Verdict verdict = verify_log(settings.folder, test_key(), Journal::checked);
    EXPECT_TRUE(verdict.sound) << verdict.fault;
  }

  TemporaryFolder folder;
  LogSettings settings = settings_in(folder.path());
  SharedClock clock{1'795'000'000'123};
};

TEST_F(LedgerSnapshot, a_start_from_it_goes_on_as_one_that_reads_everything) {
  for (const int count : {130, 1, 255, 256, 3, 700, 40}) {
    auto log = opened(std::filesystem::exists(snapshot()));
    add(*log, count);
    ASSERT_TRUE(log->write_heads(soon()));
    const auto status = log->status();
    const auto entries = *log->entries_of(test_id(1), 1, 1000);
    const std::string proof = log->head_proof(test_id(1))->encode();
    log.reset();
    expect_sound();
    log = opened(std::filesystem::exists(snapshot()));
    EXPECT_EQ(log->status().size, status.size + 1);  // the heads entry of the start
    const auto again = *log->entries_of(test_id(1), 1, 1000);
    ASSERT_EQ(again.size(), entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) ASSERT_EQ(again[i].bytes, entries[i].bytes);
  }
  expect_sound();
  EXPECT_GT(parse_snapshot(contents_of(snapshot()), test_key())->size, 1200U);
}

TEST_F(LedgerSnapshot, T34_what_is_rebuilt_twice_from_the_log_is_the_same_to_the_byte) {
  add(*opened(false), 900);
  const auto rebuilt = [&](bool from_snapshot) {
    LogReader reader(settings.folder, test_key(), Journal::checked);
    if (from_snapshot) reader.start_from(*read_snapshot(settings.folder, test_key()));
    EXPECT_TRUE(reader.read());
    return encode_snapshot(reader.tree.size(), reader.tree.root(), reader.last_at, reader.chains, test_signer(), settings.origin);
  };
  const std::string first = rebuilt(false);
  EXPECT_EQ(rebuilt(false), first);
  EXPECT_EQ(rebuilt(true), first);
  EXPECT_EQ(parse_snapshot(first, test_key())->size, 901U) << "with the heads entry of the end";
}

TEST_F(LedgerSnapshot, what_came_before_it_is_not_read) {
  add(*opened(false), 600);
  ASSERT_TRUE(std::filesystem::exists(snapshot()));
  std::filesystem::rename(settings.folder / "tile/entries/000", settings.folder / "away");
  {
    add(*opened(true), 5);
  }
  EXPECT_FALSE(verify_log(settings.folder, test_key(), Journal::left_out).sound);  // a verification does
  std::filesystem::rename(settings.folder / "away", settings.folder / "tile/entries/000");
  expect_sound();
}

TEST_F(LedgerSnapshot, a_damaged_one_is_noticed_and_everything_is_read) {
  add(*opened(false), 300);
  const std::string whole = contents_of(snapshot());
  for (std::size_t at = 0; at < whole.size(); at += 97) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_EQ(parse_snapshot(changed, test_key()).error().kind, ErrorKind::corrupt) << at;
  }
  for (const std::string& bad : {std::string(), whole.substr(0, whole.size() / 2), whole + "x"}) {
    replace_contents(snapshot(), bad);
    settings.snapshot_after_entries = 1'000'000;  // keep the damaged one
    add(*opened(false), 1);
  }
  expect_sound();
}

TEST_F(LedgerSnapshot, an_older_one_of_the_same_log_is_used_and_the_rest_is_read) {
  add(*opened(false), 150);
  const std::string older = contents_of(snapshot());
  add(*opened(true), 400);
  ASSERT_NE(contents_of(snapshot()), older);
  replace_contents(snapshot(), older);
  {
    add(*opened(true), 3);
  }
  expect_sound();
}

TEST_F(LedgerSnapshot, one_of_another_history_under_the_same_key_is_not_used) {
  add(*opened(false), 300);
  const std::string other = contents_of(snapshot());
  std::filesystem::remove_all(settings.folder);
  add(*opened(false), 400);
  replace_contents(snapshot(), other);
  settings.snapshot_after_entries = 1'000'000;
  {
    add(*opened(false), 1);
  }
  expect_sound();
}

TEST_F(LedgerSnapshot, T6_one_that_knows_more_than_the_checkpoint_shows_that_the_folder_was_rolled_back) {
  add(*opened(false), 150);
  std::filesystem::copy(settings.folder, folder.path() / "older", std::filesystem::copy_options::recursive);
  add(*opened(true), 400);
  std::filesystem::copy_file(snapshot(), folder.path() / "older" / snapshot_name,
                             std::filesystem::copy_options::overwrite_existing);
  settings.folder = folder.path() / "older";
  Log log(settings, test_signer(), clock);
  const Status status = log.reopen();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::corrupt);
  EXPECT_NE(status.error().detail.find("rolled back"), std::string::npos);
}

}  // namespace
}  // namespace mailhold::ledger
