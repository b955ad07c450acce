// A log that was tampered with is seen, by our verifier and by one that was written from the format's page alone.
#include "core/evidence/verifier.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "core/evidence/log_reader.h"
#include "fakes/temporary_ledger.h"

namespace mailhold::ledger {
namespace {

struct Said {
  int exit_code = -1;
  std::string text;
};

Said independent_verifier(const std::filesystem::path& folder) {
  const std::string command = "/usr/bin/python3 '" MAILHOLD_SOURCE_DIR "/tests/formats/ledger_verify.py' '" + folder.string() +
                              "' '" + test_key().text() + "' 2>&1";
  Said said;
  FILE* output = ::popen(command.c_str(), "r");
  char piece[512];
  while (output != nullptr && std::fgets(piece, sizeof piece, output) != nullptr) said.text += piece;
  if (output != nullptr) said.exit_code = WEXITSTATUS(::pclose(output));
  return said;
}

class LedgerVerifier : public testing::Test {
 protected:
  // 613 entries: two full bundles and a partial one in the checkpoint, the last ten in the journal only.
  void SetUp() override {
    settings.publish_after_entries = 1'000'000;
    {
      Log log(settings, test_signer(), clock);
      ASSERT_TRUE(log.reopen());
      for (int i = 0; i < 600; ++i) {
        log.submit(test_append(test_id(i % 5), i % 4 == 0 ? Id() : test_id(i % 3)), [](const Result<Receipt>&) {});
        if (i % 200 == 199) {
          clock.advance(60'000);
          ASSERT_TRUE(log.write_heads(soon()));
        }
      }
      for (int i = 0; i < 10; ++i) ASSERT_TRUE(log.append(test_append(test_id(1)), soon()));
      std::filesystem::copy(settings.folder, as_written, std::filesystem::copy_options::recursive);
    }
    restore();
  }
  void restore() {
    std::filesystem::remove_all(settings.folder);
    std::filesystem::copy(as_written, settings.folder, std::filesystem::copy_options::recursive);
  }
  // Both verifiers refuse; ours names that entry first, if one is given.
  void expect_refused(const std::string& what, std::optional<std::uint64_t> index) {
    const Verdict verdict = verify_log(settings.folder, test_key(), Journal::checked);
    EXPECT_FALSE(verdict.sound) << what;
    if (index) EXPECT_EQ(verdict.first_wrong, index) << what << ": " << verdict.fault;
    const Said said = independent_verifier(settings.folder);
    EXPECT_EQ(said.exit_code, 1) << what << ": " << said.text;
    if (index) EXPECT_TRUE(said.text.starts_with("entry " + std::to_string(*index) + ":")) << what << ": " << said.text;
    restore();
  }
  std::filesystem::path file(const std::string& name) const { return settings.folder / name; }
  void flip(const std::string& name, std::size_t at) {
    std::string bytes = contents_of(file(name));
    bytes.at(at) ^= 4;
    replace_contents(file(name), bytes);
  }
  // Where the entry begins in its bundle, length included.
  static std::size_t offset_in(const std::string& bundle, std::size_t place) {
    std::size_t offset = 0;
    for (std::size_t i = 0; i < place; ++i) {
      offset += 2 + (static_cast<std::size_t>(static_cast<unsigned char>(bundle[offset])) << 8 |
                     static_cast<unsigned char>(bundle[offset + 1]));
    }
    return offset;
  }

  TemporaryFolder folder;
  LogSettings settings = settings_in(folder.path());
  std::filesystem::path as_written = folder.path() / "as_written";
  SharedClock clock{1'795'000'000'123};
};

TEST_F(LedgerVerifier, two_independent_verifiers_agree_on_a_sound_log) {
  const Verdict verdict = verify_log(settings.folder, test_key(), Journal::checked);
  EXPECT_TRUE(verdict.sound) << verdict.fault;
  EXPECT_EQ(verdict.size, 613U);
  EXPECT_EQ(verdict.checkpoint_size, 603U);
  EXPECT_EQ(verdict.heads, 3U);
  const Said said = independent_verifier(settings.folder);
  EXPECT_EQ(said.exit_code, 0) << said.text;
  EXPECT_EQ(said.text, "sound: 613 entries, 603 in the checkpoint, 5 tenants, 3 heads\n");
  EXPECT_EQ(verify_log(settings.folder, test_key(), Journal::left_out).size, 603U);
}

TEST_F(LedgerVerifier, a_flipped_byte_anywhere_is_seen_and_its_entry_named) {
  const std::string bundle = contents_of(file("tile/entries/001"));
  for (const std::size_t place : {0U, 100U, 255U}) {
    flip("tile/entries/001", offset_in(bundle, place) + 2 + 150);
    expect_refused("bundle", 256 + place);
  }
  flip("tile/0/000", 32 * 77 + 5);
  expect_refused("tile", 77);
  flip("tile/1/000.p/2", 40);
  expect_refused("upper tile", 256);
  flip("checkpoint", 20);
  expect_refused("checkpoint", std::nullopt);
  for (std::size_t at = 3; at < contents_of(only_journal(settings.folder)).size(); at += 61'777) {
    flip("journal/0000000000000000000", at);
    expect_refused("journal at " + std::to_string(at), std::nullopt);
  }
}

TEST_F(LedgerVerifier, a_dropped_entry_is_seen_and_named) {
  std::string bundle = contents_of(file("tile/entries/000"));
  const std::size_t begin = offset_in(bundle, 42);
  bundle.erase(begin, offset_in(bundle, 43) - begin);
  replace_contents(file("tile/entries/000"), bundle);
  expect_refused("dropped", 42);
}

TEST_F(LedgerVerifier, reordered_entries_are_seen_and_the_first_named) {
  std::string bundle = contents_of(file("tile/entries/000"));
  const std::size_t first = offset_in(bundle, 7);
  const std::size_t second = offset_in(bundle, 8);
  const std::size_t end = offset_in(bundle, 9);
  const std::string swapped = bundle.substr(second, end - second) + bundle.substr(first, second - first);
  bundle.replace(first, end - first, swapped);
  replace_contents(file("tile/entries/000"), bundle);
  expect_refused("reordered", 7);
}

// Whoever changes an entry and its hash, and everything above but for the signature, is betrayed by the journal or the chains.
TEST_F(LedgerVerifier, a_changed_entry_with_a_matching_tile_is_named_by_journal_or_chain) {
  std::string bundle = contents_of(file("tile/entries/001"));
  const std::size_t begin = offset_in(bundle, 30);
  bundle[begin + 2 + 170] ^= 1;
  const std::string_view entry = std::string_view(bundle).substr(begin + 2, offset_in(bundle, 31) - begin - 2);
  std::string tile = contents_of(file("tile/0/001"));
  tile.replace(32 * 30, 32, tlog::hash_leaf(entry).bytes());
  replace_contents(file("tile/entries/001"), bundle);
  replace_contents(file("tile/0/001"), tile);
  const Verdict with_journal = verify_log(settings.folder, test_key(), Journal::checked);
  EXPECT_EQ(with_journal.first_wrong, 286U) << with_journal.fault;
  const Verdict without = verify_log(settings.folder, test_key(), Journal::left_out);
  EXPECT_EQ(without.first_wrong, 286U) << without.fault;
  const Said said = independent_verifier(settings.folder);
  EXPECT_EQ(said.exit_code, 1) << said.text;
}

TEST_F(LedgerVerifier, a_log_cut_back_consistently_is_refused_by_its_checkpoint) {
  for (const char* name : {"tile/entries/002.p/91", "tile/0/002.p/91", "tile/entries/001", "tile/0/000", "checkpoint"}) {
    std::filesystem::remove(file(name));
    expect_refused(name, std::nullopt);
  }
  std::filesystem::remove(only_journal(settings.folder));
  expect_refused("journal", std::nullopt);
}

}  // namespace
}  // namespace mailhold::ledger
