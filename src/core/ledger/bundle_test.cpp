// What a tenant holds in its hands: bundles, checked by our verifier and by one written from the format's page alone; and what
// somebody with the log's own key can and cannot do about them (T23, T34).
#include "core/evidence/bundle.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "fakes/temporary_ledger.h"
#include "formats/tlog/checkpoint.h"
#include "formats/tlog/tiles.h"

namespace mailhold::ledger {
namespace {

const crypto::Ed25519Signer& witness_signer(char letter) {
  static std::map<char, crypto::Ed25519Signer> signers;
  return signers.try_emplace(letter, test_signer(letter)).first->second;
}
tlog::CosignerKey witness_key(char letter) {
  return {std::string("witness.test/") + letter, witness_signer(letter).public_key()};
}

std::pair<int, std::string> run(const std::string& command) {
  std::string text;
  FILE* output = ::popen((command + " 2>&1").c_str(), "r");
  char piece[512];
  while (output != nullptr && std::fgets(piece, sizeof piece, output) != nullptr) text += piece;
  return {output == nullptr ? -1 : WEXITSTATUS(::pclose(output)), text};
}

class LedgerBundle : public testing::Test {
 protected:
  void SetUp() override {
    log = std::make_unique<Log>(settings, test_signer(), clock);
    ASSERT_TRUE(log->reopen());
    add(600);
  }
  void add(int count) {
    for (int i = 0; i < count; ++i)
      log->submit(test_append(test_id(i % 5), i % 4 == 0 ? Id() : test_id(i % 3)), [](const Result<Receipt>&) {});
    clock.advance(60'000);
    ASSERT_TRUE(log->write_heads(soon()));
  }
  std::string bundle_of(Id id, std::uint64_t from = 1, std::uint64_t since = 0) {
    BundleQuestion question{id, from, since, 0, 0, 50};
    std::string bytes;
    do {
      const auto piece = log->bundle(question);
      EXPECT_TRUE(piece) << (piece ? "" : piece.error().detail);
      if (!piece) return bytes;
      bytes += piece->bytes;
      question.from = piece->next;
      question.size = piece->size;
      question.last = piece->last;
    } while (question.from != 0);
    return bytes;
  }
  BundleExpected expected(Id id) const { return {test_key(), id, {}, std::nullopt}; }
  void cosign_with(const std::string& letters) {
    tlog::SignedNote note = *tlog::SignedNote::parse(log->heads_checkpoint());
    for (const char letter : letters)
      note.signatures.push_back(tlog::cosign(note.text, witness_key(letter).name, witness_signer(letter), 1'795'000'000));
    ASSERT_TRUE(log->set_cosigned(note.encode()));
  }
  std::pair<int, std::string> independent(const std::string& bytes, Id id, const std::string& more = "") {
    replace_contents(folder.path() / "bundle", bytes);
    return run("/usr/bin/python3 '" MAILHOLD_SOURCE_DIR "/tests/formats/ledger_bundle.py' '" +
               (folder.path() / "bundle").string() + "' '" + test_key().text() + "' " + id.text() + " " + more);
  }

  TemporaryFolder folder;
  LogSettings settings = settings_in(folder.path());
  SharedClock clock{1'795'000'000'123};
  std::unique_ptr<Log> log;
};

TEST_F(LedgerBundle, proves_all_entries_of_a_tenant_and_that_there_are_no_more) {
  for (const int tenant : {0, 3}) {
    const std::string bytes = bundle_of(test_id(tenant));
    std::uint64_t seen = 0;
    const BundleVerdict verdict =
        verify_bundle(bytes, expected(test_id(tenant)), [&](std::uint64_t, const Event&, std::string_view) { ++seen; });
    EXPECT_TRUE(verdict.sound) << verdict.fault;
    EXPECT_EQ(verdict.last, 120U);
    EXPECT_EQ(seen, 120U);
    EXPECT_EQ(verdict.connections, 3U);
    EXPECT_EQ(verdict.size, 601U);
    const auto [code, text] = independent(bytes, test_id(tenant));
    EXPECT_EQ(code, 0) << text;
    EXPECT_EQ(text, "sound: 120 entries, 3 connections, log of 601, 0 witnesses\n");
  }
}

TEST_F(LedgerBundle, T23_any_changed_missing_or_reordered_byte_of_it_is_refused_by_both_verifiers) {
  const std::string bytes = bundle_of(test_id(2));
  int checked = 0;
  for (std::size_t at = 0; at < bytes.size(); at += 1 + bytes.size() / 400) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    EXPECT_FALSE(verify_bundle(changed, expected(test_id(2))).sound) << at;
    if (++checked % 40 == 0) EXPECT_EQ(independent(changed, test_id(2)).first, 1) << at;
    EXPECT_FALSE(verify_bundle(std::string_view(bytes).substr(0, at), expected(test_id(2))).sound) << at;
  }
  EXPECT_FALSE(verify_bundle(bytes + "x", expected(test_id(2))).sound);
  EXPECT_FALSE(verify_bundle(bytes, expected(test_id(1))).sound);
  EXPECT_FALSE(verify_bundle(bytes, {{"ledger.test/us", test_key().public_key}, test_id(2), {}, std::nullopt}).sound);
}

// Every proof holds; one entry was left out.
TEST_F(LedgerBundle, T23_a_left_out_entry_is_named_though_all_others_are_proven) {
  const std::string bytes = bundle_of(test_id(2));
  ByteReader reader(bytes);
  reader.raw(4 + 8 + 8);
  (void)read_path(reader);
  reader.text();
  for (int i = 0; i < 41; ++i) {
    reader.raw(8);
    reader.text();
    (void)read_path(reader);
  }
  const std::size_t begin = bytes.size() - reader.rest().size();
  reader.raw(8);
  reader.text();
  (void)read_path(reader);
  const std::size_t end = bytes.size() - reader.rest().size();
  const BundleVerdict verdict = verify_bundle(bytes.substr(0, begin) + bytes.substr(end), expected(test_id(2)));
  EXPECT_FALSE(verdict.sound);
  EXPECT_EQ(verdict.first_wrong, 42U) << verdict.fault;
}

TEST_F(LedgerBundle, asks_for_as_many_cosignatures_as_the_policy_says) {
  WitnessPolicy policy{{witness_key('a'), witness_key('b'), witness_key('c')}, 2};
  BundleExpected wanted = expected(test_id(1));
  wanted.policy = policy;
  const std::string keys = "--witness '" + witness_key('a').text() + "' --witness '" + witness_key('b').text() + "' --needed 2";
  cosign_with("a");
  const std::string by_one = bundle_of(test_id(1));
  const BundleVerdict too_few = verify_bundle(by_one, wanted);
  EXPECT_FALSE(too_few.sound);
  EXPECT_NE(too_few.fault.find("missing: witness.test/b, witness.test/c"), std::string::npos) << too_few.fault;
  EXPECT_EQ(independent(by_one, test_id(1), keys).first, 1);
  cosign_with("aab");  // the same witness more than once counts once
  const std::string by_two = bundle_of(test_id(1));
  const BundleVerdict enough = verify_bundle(by_two, wanted);
  EXPECT_TRUE(enough.sound) << enough.fault;
  EXPECT_EQ(enough.cosigners.size(), 2U);
  EXPECT_EQ(independent(by_two, test_id(1), keys).first, 0);
  wanted.policy.needed = 3;
  EXPECT_FALSE(verify_bundle(by_two, wanted).sound);
}

TEST_F(LedgerBundle, a_second_one_continues_the_first_and_shows_only_what_is_new) {
  const BundleVerdict first = verify_bundle(bundle_of(test_id(4)), expected(test_id(4)));
  ASSERT_TRUE(first.sound) << first.fault;
  add(300);
  BundleExpected wanted = expected(test_id(4));
  wanted.remembered = *Remembered::parse(first.state.encode());
  const BundleVerdict second = verify_bundle(bundle_of(test_id(4), 121, 601), wanted);
  EXPECT_TRUE(second.sound) << second.fault;
  EXPECT_EQ(second.last, 180U);
  EXPECT_TRUE(verify_bundle(bundle_of(test_id(4), 1, 601), wanted).sound);
  EXPECT_FALSE(verify_bundle(bundle_of(test_id(4), 121, 0), wanted).sound)
      << "nothing shows that the log grew from what was seen";
  EXPECT_FALSE(verify_bundle(bundle_of(test_id(4), 122, 601), wanted).sound) << "one entry was never seen";
  EXPECT_FALSE(verify_bundle(bundle_of(test_id(4), 121, 601), expected(test_id(4))).sound) << "without memory it must begin at 1";
  const std::string seen = "--seen '" + (folder.path() / "seen").string() + "'";
  replace_contents(folder.path() / "seen", first.state.checkpoint);
  EXPECT_EQ(independent(bundle_of(test_id(4), 1, 601), test_id(4), seen).first, 0);
  EXPECT_EQ(independent(bundle_of(test_id(4), 1, 0), test_id(4), seen).first, 1);
}

// Whoever has the log's own key and folder: everything is rebuilt and signed anew, so that the folder alone is sound again.
TEST_F(LedgerBundle, T34_a_log_rewritten_under_its_own_key_is_seen_by_whoever_kept_a_checkpoint) {
  const BundleVerdict first = verify_bundle(bundle_of(test_id(2)), expected(test_id(2)));
  ASSERT_TRUE(first.sound);
  BundleExpected wanted = expected(test_id(2));
  wanted.remembered = first.state;
  for (const int entries : {600, 900, 300}) {  // of the same size, longer, truncated
    log.reset();
    std::filesystem::remove_all(settings.folder);
    clock.set(1'795'000'000'123);
    log = std::make_unique<Log>(settings, test_signer(), clock);
    ASSERT_TRUE(log->reopen());
    add(entries);
    const std::string bytes = bundle_of(test_id(2), 1, entries >= 600 ? 601 : 0);
    EXPECT_TRUE(verify_bundle(bytes, expected(test_id(2))).sound) << "somebody who saw nothing before cannot tell";
    const BundleVerdict verdict = verify_bundle(bytes, wanted);
    EXPECT_FALSE(verdict.sound) << entries;
    EXPECT_NE(verdict.fault.find(entries < 600 ? "rolled back" : "split view"), std::string::npos) << verdict.fault;
    const std::string seen = "--seen '" + (folder.path() / "seen").string() + "'";
    replace_contents(folder.path() / "seen", first.state.checkpoint);
    EXPECT_EQ(independent(bytes, test_id(2), seen).first, 1);
  }
}

// The heads of an hour ago are as well signed as the newest.
TEST_F(LedgerBundle, T23_an_older_heads_entry_does_not_prove_completeness) {
  const auto old_head = *log->head_proof(test_id(1));
  add(10);
  BundleHead head{old_head, 1, 0, {}};
  head.head.checkpoint = log->heads_checkpoint();
  const auto size = tlog::open_checkpoint(head.head.checkpoint, test_key())->size;
  BundleQuestion question{test_id(1), 1, 0, size, old_head.head.seq, 1000};
  std::string entries;
  while (true) {
    const auto piece = *log->bundle(question);
    entries += piece.bytes;
    if (piece.next == 0) break;
    question.from = piece.next;
  }
  // Its inclusion in the newer tree is true, and can be proven.
  head.head.heads_path = [&] {
    tlog::Tree tree;
    for (std::uint64_t place = 0; place * 256 < size; ++place) {
      const auto width = static_cast<unsigned>(std::min<std::uint64_t>(256, size - place * 256));
      for (const auto& hash : *tlog::parse_tile(contents_of(settings.folder / tlog::path_of({0, place, width})), width))
        tree.append(hash);
    }
    return *tlog::make_inclusion_proof(tree, old_head.heads_index, size);
  }();
  ASSERT_TRUE(verify_head_proof(head.head, test_key()));
  const BundleVerdict verdict = verify_bundle(encode(head) + entries, expected(test_id(1)));
  EXPECT_FALSE(verdict.sound);
  EXPECT_NE(verdict.fault.find("not the last one"), std::string::npos) << verdict.fault;
}

TEST_F(LedgerBundle, impossible_questions_are_refused) {
  EXPECT_EQ(log->bundle({test_id(77)}).error().kind, ErrorKind::not_found);
  EXPECT_EQ(log->bundle({test_id(1), 122}).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(log->bundle({test_id(1), 0}).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(log->bundle({test_id(1), 1, 5000}).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(log->bundle({test_id(1), 1, 0, 99'999, 5}).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(log->bundle({test_id(1), 1, 0, 601, 99'999}).error().kind, ErrorKind::invalid_input);
}

}  // namespace
}  // namespace mailhold::ledger
