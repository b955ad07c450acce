// ledgerd and its witnesses: what is asked, what is kept, and when the log stops.
#include "core/ledger/witnesses.h"

#include <gtest/gtest.h>

#include "core/evidence/log_reader.h"
#include "core/witness/witness.h"
#include "fakes/temporary_ledger.h"
#include "formats/tlog/checkpoint.h"

namespace mailhold::ledger {
namespace {

class LedgerWitnesses : public testing::Test {
 protected:
  void SetUp() override {
    open_log();
    for (const char letter : {'a', 'b', 'c'}) {
      std::filesystem::create_directory(folder.path() / std::string(1, letter));
      witness::WitnessSettings of_witness{
          folder.path() / std::string(1, letter), std::string("witness.test/") + letter, {test_key()}};
      witnesses.push_back(*witness::Witness::open(of_witness, test_signer(letter), clock));
      policy.policy.witnesses.push_back(witnesses.back()->key());
      policy.urls.push_back("http://127.0.0.1:1/");
    }
    policy.policy.needed = 2;
  }
  void open_log() {
    log = std::make_unique<Log>(settings, test_signer(), clock);
    ASSERT_TRUE(log->reopen());
  }
  void add(int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(log->append(test_append(test_id(i % 5), test_id(1)), soon()));
    clock.advance(60'000);
    ASSERT_TRUE(log->write_heads(soon()));
  }
  // What gossipd does, with these of the witnesses reachable. How many requests there were.
  std::size_t carry(Witnesses& ours, const std::set<std::size_t>& reachable = {0, 1, 2}) {
    const auto tasks = *parse_witness_tasks(encode(ours.tasks()));
    for (const WitnessTask& task : tasks) {
      WitnessOutcome outcome{task.witness, task.size, task.old_size, WitnessOutcome::Kind::away, 0, 0, {}};
      if (reachable.contains(task.witness)) {
        const auto said = witnesses[task.witness]->add_checkpoint(task.body);
        outcome.status = static_cast<std::uint32_t>(said.status);
        outcome.kind = WitnessOutcome::Kind::refused;
        if (said.status == 200) {
          outcome.kind = WitnessOutcome::Kind::cosigned;
          outcome.signature = tlog::parse_signatures(said.body)->front().signature;
        } else if (said.status == 409) {
          outcome.kind = WitnessOutcome::Kind::conflict;
          outcome.conflict_size = std::stoull(said.body);
        }
      }
      (void)ours.take(*parse_witness_outcome(encode(outcome)));
    }
    return tasks.size();
  }
  std::filesystem::path kept() const { return settings.folder / cosigned_checkpoint_name; }

  TemporaryFolder folder;
  LogSettings settings = settings_in(folder.path());
  SharedClock clock{1'795'000'000'123};
  std::unique_ptr<Log> log;
  std::vector<std::unique_ptr<witness::Witness>> witnesses;
  WitnessSettings policy;
};

TEST_F(LedgerWitnesses, the_checkpoint_is_kept_once_enough_have_cosigned_it) {
  Witnesses ours(policy, *log, clock);
  EXPECT_EQ(carry(ours), 0U);  // nothing to cosign yet
  add(10);
  EXPECT_EQ(carry(ours, {0}), 3U);
  EXPECT_EQ(ours.cosigners().size(), 1U);
  EXPECT_FALSE(std::filesystem::exists(kept()));
  EXPECT_FALSE(ours.wait_until_cosigned(Deadline::after(std::chrono::milliseconds(10))));
  clock.advance(120'000);
  EXPECT_EQ(carry(ours), 2U);  // the one that has cosigned is left in peace
  EXPECT_TRUE(ours.wait_until_cosigned(soon()));
  const std::string note = contents_of(kept());
  EXPECT_TRUE(tlog::open_checkpoint(note, test_key()));
  EXPECT_TRUE(check_cosignatures(note, {policy.policy.witnesses, 3}));
  EXPECT_EQ(carry(ours), 0U);
  clock.advance(600'000);
  EXPECT_EQ(carry(ours), 3U) << "silence must not last longer than ten minutes";
}

TEST_F(LedgerWitnesses, each_is_given_the_proof_from_what_it_saw_last_also_after_a_restart) {
  for (int round = 0; round < 6; ++round) {
    Witnesses ours(policy, *log, clock);
    add(100 * round + 1);
    // The third one comes every other round; after a restart it tells itself what it saw.
    carry(ours, round % 2 == 0 ? std::set<std::size_t>{0, 1, 2} : std::set<std::size_t>{0, 1});
    clock.advance(120'000);
    carry(ours, round % 2 == 0 ? std::set<std::size_t>{0, 1, 2} : std::set<std::size_t>{0, 1});
    EXPECT_EQ(ours.cosigners().size(), round % 2 == 0 ? 3U : 2U) << round;
  }
  EXPECT_TRUE(log->status().open);
}

TEST_F(LedgerWitnesses, T6_a_rolled_back_log_stops_when_as_many_witnesses_say_so_as_are_needed) {
  Witnesses ours(policy, *log, clock);
  add(10);
  carry(ours);
  log.reset();
  std::filesystem::copy(settings.folder, folder.path() / "older", std::filesystem::copy_options::recursive);
  open_log();
  Witnesses later(policy, *log, clock);
  add(50);
  carry(later);
  ASSERT_EQ(later.cosigners().size(), 3U);
  log.reset();  // all files at once are put back
  std::filesystem::remove_all(settings.folder);
  std::filesystem::rename(folder.path() / "older", settings.folder);
  open_log();
  EXPECT_TRUE(log->status().open) << "nothing in the folder can tell";
  Witnesses after(policy, *log, clock);
  carry(after, {0});
  EXPECT_TRUE(log->status().open) << "one witness may err";
  EXPECT_EQ(after.status()[0].state, WitnessState::knows_more);
  clock.advance(120'000);
  carry(after);
  EXPECT_FALSE(log->status().open);
  EXPECT_NE(log->status().failure.find("behind its witnesses"), std::string::npos);
  EXPECT_EQ(log->append(test_append(test_id(1)), soon()).error().kind, ErrorKind::unavailable);
}

TEST_F(LedgerWitnesses, T34_a_log_rewritten_under_its_own_key_gets_no_cosignature_and_stops) {
  Witnesses ours(policy, *log, clock);
  add(10);
  carry(ours);
  log.reset();
  std::filesystem::remove_all(settings.folder);
  open_log();
  add(40);
  Witnesses after(policy, *log, clock);
  carry(after);  // they say what they saw last
  EXPECT_EQ(after.status()[0].state, WitnessState::waiting);
  clock.advance(120'000);
  carry(after);
  EXPECT_EQ(after.cosigners().size(), 0U);
  EXPECT_EQ(after.status()[0].state, WitnessState::contradicts);
  EXPECT_FALSE(log->status().open);
  EXPECT_FALSE(std::filesystem::exists(kept()));
}

TEST_F(LedgerWitnesses, what_a_witness_did_not_sign_counts_for_nothing) {
  Witnesses ours(policy, *log, clock);
  add(10);
  const auto tasks = ours.tasks();
  ASSERT_EQ(tasks.size(), 3U);
  const WitnessOutcome forged{0, tasks[0].size, 0, WitnessOutcome::Kind::cosigned, 200, 0, std::string(72, 'x')};
  EXPECT_EQ(ours.take(forged).error().kind, ErrorKind::corrupt);
  // The true cosignature of one witness under the name of another.
  const auto said = witnesses[0]->add_checkpoint(tasks[0].body);
  const WitnessOutcome borrowed{
      1, tasks[0].size, 0, WitnessOutcome::Kind::cosigned, 200, 0, tlog::parse_signatures(said.body)->front().signature};
  EXPECT_FALSE(ours.take(borrowed));
  EXPECT_EQ(ours.cosigners().size(), 0U);
  EXPECT_FALSE(ours.take({9, 0, 0, WitnessOutcome::Kind::away, 0, 0, {}}));
}

TEST(LedgerWitnessSettings, name_witnesses_and_how_many_are_needed) {
  const std::string key = tlog::CosignerKey{"witness.test/a", test_signer('a').public_key()}.text();
  const std::string other = tlog::CosignerKey{"witness.test/b", test_signer('b').public_key()}.text();
  const auto parsed = WitnessSettings::parse({"https://a.test/#" + key, "http://10.1.2.3:8090#" + other}, 2);
  ASSERT_TRUE(parsed) << parsed.error().detail;
  EXPECT_EQ(parsed->urls[1], "http://10.1.2.3:8090");
  EXPECT_FALSE(WitnessSettings::parse({"https://a.test/#" + key}, 2));
  EXPECT_FALSE(WitnessSettings::parse({"https://a.test/#" + key, "https://b.test/#" + key}, 1));
  EXPECT_FALSE(WitnessSettings::parse({"https://a.test/"}, 0));
  EXPECT_FALSE(WitnessSettings::parse({"a.test#" + key}, 0));
  EXPECT_FALSE(WitnessSettings::parse({"https://a.test/#" + test_key().text()}, 0)) << "the log's own key is no witness";
}

}  // namespace
}  // namespace mailhold::ledger
