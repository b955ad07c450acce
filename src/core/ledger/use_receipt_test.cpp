#include "core/ledger/use_receipt.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "base/text.h"
#include "core/keys/spent_receipts.h"
#include "core/ledger/log.h"
#include "fakes/temporary_ledger.h"

namespace mailhold::ledger {
namespace {

constexpr int uses = 60, questions = 4000;
const std::vector<std::string> types = {"use.intent", "use.outcome"};
const std::vector<std::string> purposes = {"route.submit", "backup.read"};
const std::vector<std::string> policies = {"host a", "host b"};

struct Use {
  Id tenant, connection;
  std::string type, purpose, policy;
  friend bool operator==(const Use&, const Use&) = default;
};

class Dice {
 public:
  std::size_t below(std::size_t count) { return source_() % count; }
  Use use() {
    return {test_id(1 + static_cast<int>(below(2))), test_id(10 + static_cast<int>(below(2))), types[below(8) == 0 ? 1 : 0],
            purposes[below(2)], policies[below(2)]};
  }

 private:
  std::mt19937 source_{20'261'122};
};

class UseReceipt : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(log.reopen()); }
  Receipt receipt_for(const Use& use) {
    const Entry entry{use.tenant,
                      use.connection,
                      use.type,
                      {{"purpose", use.purpose}, {"policy", to_hex(crypto::sha256(use.policy))}, {"job", "one"}}};
    const std::string text = *write_clear_text(entry, random_bytes(16));
    Append append = test_append(use.tenant, use.connection);
    append.commitment = Hash::from_bytes(crypto::sha256(text));
    Receipt receipt = *log.append(std::move(append), soon());
    receipt.clear_text = text;
    return receipt;
  }
  Result<keys::VerifiedReceipt> ask(const Use& use, const Receipt& receipt) {
    const keys::UseRequest request{use.tenant, use.connection, use.policy, use.purpose, "smtp_plain", receipt.encode(), {}};
    return verify_use(request, test_key().public_key, clock.now());
  }

  TemporaryFolder folder;
  SharedClock clock{1'795'000'000'000};
  Log log{settings_in(folder.path()), test_signer(), clock};
  const UseVerifier verify_use;
};

TEST_F(UseReceipt, T16_opens_exactly_the_use_it_was_written_for_once_and_in_its_time) {
  Dice dice;
  std::vector<std::pair<Use, Receipt>> given;
  for (int number = 0; number < uses; ++number) {
    const Use use = dice.use();
    given.emplace_back(use, receipt_for(use));
    clock.advance(1000);
  }
  keys::SpentReceipts spent(clock.now() - receipt_life);
  const Milliseconds begin = clock.now() - receipt_life, started = begin;
  std::set<std::size_t> used;
  int opened = 0;
  for (int number = 0; number < questions; ++number) {
    clock.set(begin + 20 * number);
    const std::size_t which = dice.below(given.size());
    const auto& [intent, receipt] = given[which];
    Use asked = dice.below(2) == 0 ? intent : dice.use();
    asked.type = "use.intent";
    const bool in_time = receipt.time >= started && receipt.time <= clock.now() + receipt_clock_skew_max &&
                         clock.now() < receipt.time + receipt_life;
    const bool expected = asked == intent && in_time && !used.contains(which);
    const auto verified = ask(asked, receipt);
    const bool may = verified && spent.spend(verified->leaf_hash, verified->issued_at, verified->expires_at, clock.now());
    ASSERT_EQ(may, expected) << "question " << number << (verified ? "" : ": " + verified.error().detail);
    if (may) used.insert(which), ++opened;
  }
  EXPECT_GT(opened, 10) << "the questions do not reach what is allowed";
}

TEST_F(UseReceipt, T16_no_changed_byte_of_a_receipt_opens_anything) {
  const Use use{test_id(1), test_id(10), "use.intent", "route.submit", "host a"};
  const std::string whole = receipt_for(use).encode();
  const keys::UseRequest request{use.tenant, use.connection, use.policy, use.purpose, "smtp_plain", whole, {}};
  ASSERT_TRUE(verify_use(request, test_key().public_key, clock.now()));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    keys::UseRequest changed = request;
    changed.receipt[at] = static_cast<char>(changed.receipt[at] ^ 0x20);
    const auto verified = verify_use(changed, test_key().public_key, clock.now());
    ASSERT_FALSE(verified) << at;
    EXPECT_EQ(verified.error().kind, ErrorKind::denied) << at;
  }
}

}  // namespace
}  // namespace mailhold::ledger
