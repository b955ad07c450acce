#include "core/ledger/log.h"

#include <gtest/gtest.h>

#include <latch>
#include <set>

#include "core/evidence/verifier.h"
#include "fakes/temporary_ledger.h"
#include "formats/tlog/checkpoint.h"

namespace mailhold::ledger {
namespace {

class LedgerLog : public testing::Test {
 protected:
  std::unique_ptr<Log> opened() {
    auto log = std::make_unique<Log>(settings, test_signer(), clock, storage);
    const Status status = log->reopen();
    EXPECT_TRUE(status) << (status ? "" : status.error().detail);
    return log;
  }
  Verdict verdict() { return verify_log(settings.folder, test_key(), Journal::checked); }

  TemporaryFolder folder;
  LogSettings settings = settings_in(folder.path());
  SharedClock clock{1'795'000'000'123};
  WatchedStorage storage;
};

TEST_F(LedgerLog, an_entry_comes_back_with_a_receipt_that_proves_it) {
  const auto log = opened();
  for (int i = 0; i < 5; ++i) {
    const Receipt receipt = *log->append(test_append(test_id(1), test_id(9)), soon());
    EXPECT_EQ(receipt.index, static_cast<std::uint64_t>(i));
    EXPECT_TRUE(tlog::verify_inclusion(receipt.leaf(), receipt.index, receipt.size, receipt.proof, receipt.root));
    EXPECT_TRUE(crypto::ed25519_verify(test_key().public_key, receipt.signed_bytes(), receipt.signature));
    EXPECT_EQ(receipt.time, clock.now());
    EXPECT_EQ(receipt.expires, clock.now() + 30'000);
    const Event event = *parse_event(receipt.entry);
    EXPECT_EQ(event.seq, static_cast<std::uint64_t>(i + 1));
    EXPECT_EQ(event.connection_seq, static_cast<std::uint64_t>(i + 1));
  }
}

TEST_F(LedgerLog, no_receipt_exists_before_the_fdatasync_that_covers_it) {
  const auto log = opened();
  std::latch may_sync(1);
  std::latch in_sync(1);
  std::atomic<bool> answered = false;
  storage.before_sync = [&] {
    in_sync.count_down();
    may_sync.wait();
  };
  log->submit(test_append(test_id(1)), [&](const Result<Receipt>& receipt) { answered = static_cast<bool>(receipt); });
  in_sync.wait();
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_FALSE(answered);
  EXPECT_EQ(log->status().size, 0U);
  EXPECT_TRUE(log->entries_of(test_id(1), 1, 10)->empty()) << "an entry was shown before it was durable";
  may_sync.count_down();
  storage.before_sync = {};
  while (!answered) std::this_thread::yield();
}

TEST_F(LedgerLog, sixty_four_writers_share_fdatasyncs_and_leave_no_gap) {
  constexpr int writers = 64;
  constexpr int entries_each = 40;
  const auto log = opened();
  const int syncs_before = storage.syncs;
  std::atomic<int> receipts = 0;
  {
    std::vector<std::jthread> threads;
    for (int writer = 0; writer < writers; ++writer) {
      threads.emplace_back([&, writer] {
        for (int i = 0; i < entries_each; ++i) {
          const auto receipt = log->append(test_append(test_id(writer % 8), test_id(writer % 16)), soon());
          if (receipt && tlog::verify_inclusion(receipt->leaf(), receipt->index, receipt->size, receipt->proof, receipt->root))
            ++receipts;
        }
      });
    }
  }
  EXPECT_EQ(receipts, writers * entries_each);
  const int syncs = storage.syncs - syncs_before;
  EXPECT_LT(syncs, writers * entries_each / 4);
  std::printf("ledger: %d entries of %d writers in %d fdatasyncs\n", writers * entries_each, writers, syncs);
  std::set<std::uint64_t> indexes;
  for (int tenant = 0; tenant < 8; ++tenant) {
    const auto entries = *log->entries_of(test_id(tenant), 1, 1000);
    ASSERT_EQ(entries.size(), static_cast<std::size_t>(writers / 8 * entries_each));
    Hash previous;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const Event event = *parse_event(entries[i].bytes);
      ASSERT_EQ(event.seq, i + 1);
      ASSERT_EQ(event.previous, previous);
      previous = tlog::hash_leaf(entries[i].bytes);
      indexes.insert(entries[i].index);
    }
  }
  EXPECT_EQ(indexes.size(), static_cast<std::size_t>(writers * entries_each));
  EXPECT_TRUE(log->write_heads(soon()));
  const Verdict found = verdict();
  EXPECT_TRUE(found.sound) << found.fault;
}

TEST_F(LedgerLog, goes_on_where_it_stopped) {
  Hash last;
  for (int start = 0; start < 3; ++start) {
    const auto log = opened();
    for (int i = 0; i < 300; ++i) {
      const Receipt receipt = *log->append(test_append(test_id(1), test_id(2)), soon());
      const Event event = *parse_event(receipt.entry);
      ASSERT_EQ(event.previous, last);
      ASSERT_EQ(event.seq, static_cast<std::uint64_t>(start * 300 + i + 1));
      last = receipt.leaf();
    }
  }
  const auto log = opened();
  const auto entries = *log->entries_of(test_id(1), 200, 600);
  ASSERT_EQ(entries.size(), 600U);
  for (std::size_t i = 0; i < entries.size(); ++i) ASSERT_EQ(parse_event(entries[i].bytes)->seq, 200 + i);
  EXPECT_EQ(log->entries_of(test_id(1), 890, 600)->size(), 11U);
  EXPECT_TRUE(log->entries_of(test_id(5), 1, 10)->empty());
}

TEST_F(LedgerLog, publishes_tiles_of_every_size_that_outsiders_can_check) {
  settings.publish_after_entries = 100;
  settings.journal_bytes_max = 50'000;
  auto log = opened();
  for (int i = 0; i < 700; ++i) ASSERT_TRUE(log->append(test_append(test_id(i % 5), test_id(i % 3)), soon()));
  ASSERT_TRUE(log->write_heads(soon()));
  const tlog::Checkpoint checkpoint = *tlog::open_checkpoint(log->checkpoint(), test_key());
  EXPECT_EQ(checkpoint.size, 701U);
  EXPECT_TRUE(std::filesystem::exists(settings.folder / "tile/entries/001"));
  EXPECT_TRUE(std::filesystem::exists(settings.folder / "tile/0/002.p/189"));
  EXPECT_FALSE(std::filesystem::exists(settings.folder / "tile/0/001.p")) << "partial tiles stay behind the full one";
  Verdict found = verdict();
  EXPECT_TRUE(found.sound) << found.fault;
  EXPECT_EQ(found.size, 701U);
  EXPECT_EQ(found.heads, 1U);
  log.reset();
  found = verdict();
  EXPECT_TRUE(found.sound) << found.fault;
}

TEST_F(LedgerLog, a_head_proof_tells_how_many_entries_a_tenant_had) {
  const auto log = opened();
  for (int i = 0; i < 254; ++i) ASSERT_TRUE(log->append(test_append(test_id(i % 7)), soon()));
  EXPECT_EQ(log->head_proof(test_id(1)).error().kind, ErrorKind::not_found);
  for (int round = 0; round < 4; ++round) {  // the heads entry at the last place of a tile, and behind it
    ASSERT_TRUE(log->append(test_append(test_id(1)), soon()));
    ASSERT_TRUE(log->write_heads(soon()));
    const HeadProof proof = *log->head_proof(test_id(1));
    EXPECT_EQ(proof.head.seq, static_cast<std::uint64_t>(37 + round + 1));
    const Status verified = verify_head_proof(*HeadProof::parse(proof.encode()), test_key());
    EXPECT_TRUE(verified) << verified.error().detail;
    HeadProof fewer = proof;
    --fewer.head.seq;
    EXPECT_FALSE(verify_head_proof(fewer, test_key()));
    HeadProof other = proof;
    other.tenant = test_id(2);
    EXPECT_FALSE(verify_head_proof(other, test_key()));
  }
  EXPECT_EQ(log->head_proof(test_id(77)).error().kind, ErrorKind::not_found);
}

TEST_F(LedgerLog, heads_are_written_only_if_something_came) {
  const auto log = opened();
  ASSERT_TRUE(log->write_heads(soon()));
  EXPECT_EQ(log->status().size, 0U);
  ASSERT_TRUE(log->append(test_append(test_id(1)), soon()));
  ASSERT_TRUE(log->write_heads(soon()));
  ASSERT_TRUE(log->write_heads(soon()));
  EXPECT_EQ(log->status().size, 2U);
  EXPECT_EQ(log->status().published_size, 2U);
}

TEST_F(LedgerLog, time_never_goes_back_in_it) {
  const auto log = opened();
  ASSERT_TRUE(log->append(test_append(test_id(1)), soon()));
  clock.set(clock.now() - 5000);
  const Receipt receipt = *log->append(test_append(test_id(1)), soon());
  EXPECT_EQ(parse_event(receipt.entry)->at, clock.now() + 5000);
  EXPECT_EQ(receipt.time, clock.now());
}

TEST_F(LedgerLog, one_process_at_a_time_writes) {
  const auto log = opened();
  Log second(settings, test_signer(), clock, storage);
  EXPECT_EQ(second.reopen().error().kind, ErrorKind::unavailable);
  EXPECT_EQ(second.append(test_append(test_id(1)), soon()).error().kind, ErrorKind::unavailable);
  EXPECT_TRUE(log->append(test_append(test_id(1)), soon()));
}

TEST_F(LedgerLog, another_key_or_origin_does_not_open_it) {
  ASSERT_TRUE(opened()->append(test_append(test_id(1)), soon()));
  Log other_key(settings, test_signer('x'), clock, storage);
  EXPECT_FALSE(other_key.reopen());
  settings.origin = "ledger.test/us";
  Log other_origin(settings, test_signer(), clock, storage);
  EXPECT_FALSE(other_origin.reopen());
}

TEST_F(LedgerLog, malformed_appends_are_refused_without_harm) {
  const auto log = opened();
  EXPECT_EQ(log->append({Id(), Id(), Hash(), test_append(test_id(1)).payload}, soon()).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(log->append({test_id(1), Id(), Hash(), "short"}, soon()).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(log->append(test_append(test_id(1), {}, 40'000), soon()).error().kind, ErrorKind::invalid_input);
  EXPECT_TRUE(log->append(test_append(test_id(1)), soon()));
}

}  // namespace
}  // namespace mailhold::ledger
