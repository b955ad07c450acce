// What the log does when the disk, the power or somebody with access to the folder does not play along.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/evidence/batch.h"
#include "core/evidence/verifier.h"
#include "core/ledger/log.h"
#include "fakes/temporary_ledger.h"

namespace mailhold::ledger {
namespace {

class LedgerLogFailure : public testing::Test {
 protected:
  std::unique_ptr<Log> unopened() { return std::make_unique<Log>(settings, test_signer(), clock, storage); }
  std::unique_ptr<Log> opened() {
    auto log = unopened();
    const Status status = log->reopen();
    EXPECT_TRUE(status) << (status ? "" : status.error().detail);
    return log;
  }
  // A folder as a crash leaves it: entries in the journal, the checkpoint behind them.
  void write_and_crash(int entries) {
    const auto log = opened();
    for (int i = 0; i < entries; ++i) ASSERT_TRUE(log->append(test_append(test_id(i % 3), test_id(5)), soon()));
    std::filesystem::copy(settings.folder, folder.path() / "crashed", std::filesystem::copy_options::recursive);
  }
  void use_crashed_folder() {
    std::filesystem::remove_all(settings.folder);
    std::filesystem::rename(folder.path() / "crashed", settings.folder);
  }
  ErrorKind reopen_error() {
    const Status status = unopened()->reopen();
    return status ? ErrorKind::bug : status.error().kind;
  }

  TemporaryFolder folder;
  LogSettings settings = settings_in(folder.path());
  SharedClock clock{1'795'000'000'123};
  WatchedStorage storage;
};

TEST_F(LedgerLogFailure, after_one_failed_fdatasync_nothing_is_accepted_until_reopened) {
  const auto log = opened();
  ASSERT_TRUE(log->append(test_append(test_id(1)), soon()));
  storage.sync_fails_once = true;
  EXPECT_EQ(log->append(test_append(test_id(1)), soon()).error().kind, ErrorKind::unavailable);
  const int syncs = storage.syncs;
  for (int i = 0; i < 3; ++i) {  // the disk is well again, as after fsyncgate
    EXPECT_EQ(log->append(test_append(test_id(1)), soon()).error().kind, ErrorKind::unavailable);
    EXPECT_EQ(log->write_heads(soon()).error().kind, ErrorKind::unavailable);
  }
  EXPECT_EQ(storage.syncs, syncs) << "a failed fdatasync was tried again";
  EXPECT_FALSE(log->status().open);
  EXPECT_NE(log->status().failure, "");
  EXPECT_EQ(log->checkpoint(), "");
  ASSERT_TRUE(log->reopen());
  EXPECT_TRUE(log->status().open);
  EXPECT_TRUE(log->append(test_append(test_id(1)), soon()));
  EXPECT_TRUE(verify_log(settings.folder, test_key(), Journal::checked).sound);
}

TEST_F(LedgerLogFailure, a_full_disk_gives_no_receipt_and_loses_none) {
  std::uint64_t acknowledged = 0;
  const auto log = opened();
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{20'000, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  for (int i = 0; i < 100; ++i) {
    if (log->append(test_append(test_id(1)), soon())) ++acknowledged;
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_GT(acknowledged, 5U);
  EXPECT_LT(acknowledged, 100U);
  EXPECT_FALSE(log->status().open);
  EXPECT_EQ(log->append(test_append(test_id(1)), soon()).error().kind, ErrorKind::unavailable);
  ASSERT_TRUE(log->reopen());
  EXPECT_GT(log->status().cut_bytes, 0U);
  EXPECT_EQ(log->entries_of(test_id(1), 1, 1000)->size(), acknowledged);
  EXPECT_TRUE(log->append(test_append(test_id(1)), soon()));
}

TEST_F(LedgerLogFailure, wherever_the_disk_fails_what_was_acknowledged_is_there_after_a_restart) {
  settings.publish_after_entries = 7;
  settings.journal_bytes_max = 2000;
  int step = 1;
  for (bool reached_end = false; !reached_end; ++step) {
    std::filesystem::remove_all(settings.folder);
    std::uint64_t acknowledged = 0;
    storage.steps = 0;
    storage.failing_step = step;
    {
      const auto log = unopened();
      bool sound = static_cast<bool>(log->reopen());
      for (int i = 0; i < 12 && sound; ++i) {
        sound = static_cast<bool>(log->append(test_append(test_id(1), test_id(2)), soon()));
        if (sound) ++acknowledged;
      }
      sound = sound && log->write_heads(soon());
      reached_end = sound;
    }
    storage.failing_step = 0;
    const auto log = opened();
    const auto entries = log->entries_of(test_id(1), 1, 100);
    ASSERT_TRUE(entries) << "step " << step;
    ASSERT_GE(entries->size(), acknowledged) << "step " << step;
    ASSERT_LE(entries->size(), acknowledged + 1) << "step " << step;
    ASSERT_TRUE(log->append(test_append(test_id(1)), soon())) << "step " << step;
    const Verdict verdict = verify_log(settings.folder, test_key(), Journal::checked);
    ASSERT_TRUE(verdict.sound) << "step " << step << ": " << verdict.fault;
  }
  EXPECT_GT(step, 30);
  std::printf("ledger: %d points of failure, nothing acknowledged was lost\n", step - 1);
}

TEST_F(LedgerLogFailure, an_unlinked_journal_is_seen_before_anybody_is_answered) {
  const auto log = opened();
  ASSERT_TRUE(log->append(test_append(test_id(1)), soon()));
  std::filesystem::remove(only_journal(settings.folder));
  EXPECT_EQ(log->append(test_append(test_id(1)), soon()).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(log->append(test_append(test_id(1)), soon()).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(log->reopen().error().kind, ErrorKind::corrupt);  // the first entry was acknowledged, and is gone
  EXPECT_FALSE(log->status().open);
}

TEST_F(LedgerLogFailure, a_replaced_journal_is_seen_before_anybody_is_answered) {
  const auto log = opened();
  ASSERT_TRUE(log->append(test_append(test_id(1)), soon()));
  const auto journal = only_journal(settings.folder);
  std::filesystem::copy_file(journal, journal.string() + ".new");
  std::filesystem::rename(journal.string() + ".new", journal);
  EXPECT_EQ(log->append(test_append(test_id(1)), soon()).error().kind, ErrorKind::unavailable);
  EXPECT_TRUE(log->reopen());  // all that was acknowledged is in the copy
}

TEST_F(LedgerLogFailure, a_journal_that_somebody_else_wrote_to_is_seen) {
  const auto log = opened();
  ASSERT_TRUE(log->append(test_append(test_id(1)), soon()));
  std::ofstream(only_journal(settings.folder), std::ios::app) << "x";
  EXPECT_EQ(log->append(test_append(test_id(1)), soon()).error().kind, ErrorKind::unavailable);
}

TEST_F(LedgerLogFailure, a_torn_tail_is_cut_and_kept_as_evidence) {
  write_and_crash(20);
  use_crashed_folder();
  const auto journal = only_journal(settings.folder);
  const std::string whole = contents_of(journal);
  std::size_t batch_bytes = 0;  // of the last batch
  for (std::size_t offset = 0; offset < whole.size(); offset += batch_bytes) batch_bytes = parse_batch(whole, offset).bytes;
  for (const std::size_t missing : {std::size_t{1}, batch_bytes / 2, batch_bytes - 9, batch_bytes - 1}) {
    std::filesystem::remove_all(folder.path() / "case");
    std::filesystem::copy(settings.folder, folder.path() / "case", std::filesystem::copy_options::recursive);
    LogSettings other = settings;
    other.folder = folder.path() / "case";
    replace_contents(only_journal(other.folder), whole.substr(0, whole.size() - missing));
    Log log(other, test_signer(), clock, storage);
    ASSERT_TRUE(log.reopen()) << missing;
    EXPECT_EQ(log.status().cut_bytes, batch_bytes - missing);
    EXPECT_EQ(log.entries_of(test_id(1), 1, 100)->size(), 6U);  // entry 19 was tenant 1's
    EXPECT_TRUE(std::filesystem::exists(other.folder / "journal/0000000000000000000.cut"));
  }
}

TEST_F(LedgerLogFailure, a_block_that_never_reached_the_disk_makes_a_torn_tail) {
  write_and_crash(2);
  use_crashed_folder();
  {
    const auto log = opened();
    ASSERT_TRUE(log->append(test_append(test_id(1), {}, 3000), soon()));
    std::filesystem::copy(settings.folder, folder.path() / "crashed", std::filesystem::copy_options::recursive);
  }
  use_crashed_folder();
  const auto journal = only_journal(settings.folder);
  std::string bytes = contents_of(journal);
  bytes.replace(1024, 512, std::string(512, '\0'));
  replace_contents(journal, bytes);
  EXPECT_TRUE(unopened()->reopen());
}

TEST_F(LedgerLogFailure, any_changed_byte_of_the_last_batch_is_damage_not_a_torn_tail) {
  write_and_crash(3);
  use_crashed_folder();
  const auto journal = only_journal(settings.folder);
  const std::string whole = contents_of(journal);
  for (std::size_t at = whole.size() - 400; at < whole.size(); at += 13) {
    std::string changed = whole;
    changed[at] ^= 1;
    replace_contents(journal, changed);
    ASSERT_EQ(reopen_error(), ErrorKind::corrupt) << at;
  }
  replace_contents(journal, whole);
  EXPECT_TRUE(unopened()->reopen());
}

TEST_F(LedgerLogFailure, a_journal_shorter_than_the_signed_checkpoint_is_refused) {
  {
    const auto log = opened();
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(log->append(test_append(test_id(1)), soon()));
    ASSERT_TRUE(log->write_heads(soon()));
    std::filesystem::copy(settings.folder, folder.path() / "crashed", std::filesystem::copy_options::recursive);
  }
  use_crashed_folder();
  const auto journal = only_journal(settings.folder);
  const std::string whole = contents_of(journal);
  replace_contents(journal, whole.substr(0, whole.size() - 3));
  EXPECT_EQ(reopen_error(), ErrorKind::corrupt);
  replace_contents(journal, "");
  EXPECT_EQ(reopen_error(), ErrorKind::corrupt);
  std::filesystem::remove(journal);
  EXPECT_EQ(reopen_error(), ErrorKind::corrupt);
  replace_contents(journal, whole);
  EXPECT_TRUE(unopened()->reopen());
}

TEST_F(LedgerLogFailure, a_missing_checkpoint_is_refused_not_replaced) {
  {
    ASSERT_TRUE(opened()->append(test_append(test_id(1)), soon()));
  }
  std::filesystem::remove(settings.folder / "checkpoint");
  EXPECT_EQ(reopen_error(), ErrorKind::corrupt);
}

// A process that is killed in the middle of its work, many times.
TEST_F(LedgerLogFailure, what_was_acknowledged_before_a_kill_is_there_afterwards) {
  settings.publish_after_entries = 20;
  std::uint64_t acknowledged = 0;
  for (int round = 0; round < 6; ++round) {
    int channel[2];
    ASSERT_EQ(::pipe(channel), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      Log log(settings, test_signer());
      if (!log.reopen()) ::_exit(1);
      for (;;) {
        if (!log.append(test_append(test_id(1)), soon())) ::_exit(1);
        if (::write(channel[1], "a", 1) != 1) ::_exit(1);
      }
    }
    ::close(channel[1]);
    char one = 0;
    for (int i = 0; i < 20 + 17 * round && ::read(channel[0], &one, 1) == 1; ++i) ++acknowledged;
    ::kill(child, SIGKILL);
    int outcome = 0;
    ::waitpid(child, &outcome, 0);
    EXPECT_TRUE(WIFSIGNALED(outcome));
    while (::read(channel[0], &one, 1) == 1) ++acknowledged;
    ::close(channel[0]);
    const Verdict verdict = verify_log(settings.folder, test_key(), Journal::checked);
    ASSERT_TRUE(verdict.sound) << verdict.fault;
    ASSERT_GE(verdict.size, acknowledged);
  }
  const auto log = opened();
  EXPECT_GE(log->entries_of(test_id(1), 1, 1000)->size(), acknowledged);
}

}  // namespace
}  // namespace mailhold::ledger
