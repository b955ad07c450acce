#include "core/evidence/receipt.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <future>
#include <set>
#include <thread>

#include "base/text.h"
#include "core/ledger/ledger_client.h"
#include "core/ledger/ledger_service.h"
#include "fakes/temporary_ledger.h"
#include "formats/sealed/box.h"
#include "platform/crypto/x25519.h"

namespace mailhold::ledger {
namespace {

// A ledgerd, a client of it, and the key of one tenant.
class LedgerClientAndService : public testing::Test {
 protected:
  void SetUp() override {
    auto log = std::make_unique<Log>(settings_in(folder.path()), test_signer(), clock);
    ASSERT_TRUE(log->reopen());
    service.use(std::move(log));
  }
  LedgerCall call_as(const std::string& role) {
    return [this, role](std::uint16_t method, std::string_view body, const Deadline&) {
      std::promise<Result<std::string>> answer;
      service.ask(role, method, body, [&](Result<std::string> result) { answer.set_value(std::move(result)); });
      return answer.get_future().get();
    };
  }
  FindLedgerKey find_key = [this](Id wanted, const Deadline&) -> Result<keys::LedgerPublicKey> {
    ++key_questions;
    if (wanted != tenant) return Error{ErrorKind::not_found, "no such tenant"};
    return keys::LedgerPublicKey{3, pair.public_key};
  };
  OpenLedgerBox open_box = [this](Id wanted, std::uint32_t version, std::string_view box, std::string_view context,
                                  const Deadline&) -> Result<SecretText> {
    ++boxes_opened;
    if (wanted != tenant || version != 3) return Error{ErrorKind::not_found, "no such key"};
    ASSIGN_OR_RETURN(const sealed::Context place, sealed::Context::parse(context));
    return sealed::open_box(pair.private_key.reveal(), place, box);
  };
  Entry intent() const {
    return {tenant, connection, "use.intent", {{"purpose", "route.submit"}, {"dest.host", "relay.example"}, {"dest.port", 587}}};
  }
  Expected expected() const { return {tenant, connection, "use.intent", {{"purpose", "route.submit"}, {"dest.port", 587}}}; }

  TemporaryFolder folder;
  SharedClock clock{1'795'000'000'123};
  const Id tenant = Id::random();
  const Id connection = Id::random();
  crypto::X25519KeyPair pair = crypto::x25519_generate();
  int key_questions = 0;
  int boxes_opened = 0;
  LedgerService service{clock};
  LedgerClient client{call_as("brokerd"), find_key, "eu", clock};
};

TEST_F(LedgerClientAndService, a_receipt_survives_its_encoding_and_proves_the_entry) {
  const Receipt receipt = *client.append(intent(), soon());
  const Receipt again = *Receipt::parse(receipt.encode());
  EXPECT_EQ(again.encode(), receipt.encode());
  const auto entry = verify_receipt(again, test_key(), expected(), clock.now() + 1000);
  ASSERT_TRUE(entry) << entry.error().detail;
  EXPECT_EQ(entry->fields, intent().fields);
}

TEST_F(LedgerClientAndService, a_receipt_is_refused_for_anything_it_is_not_for) {
  const Receipt receipt = *client.append(intent(), soon());
  const auto refused = [&](const Receipt& what, const tlog::NoteKey& key, const Expected& wanted, Milliseconds now) {
    const auto entry = verify_receipt(what, key, wanted, now);
    return !entry && entry.error().kind == ErrorKind::denied;
  };
  const Milliseconds now = clock.now();
  ASSERT_FALSE(refused(receipt, test_key(), expected(), now));
  EXPECT_TRUE(refused(receipt, {"ledger.test/us", test_key().public_key}, expected(), now)) << "another log";
  EXPECT_TRUE(refused(receipt, {"ledger.test/eu", test_signer('x').public_key()}, expected(), now)) << "another key";
  EXPECT_TRUE(refused(receipt, test_key(), expected(), now + 30'000)) << "expired";
  EXPECT_FALSE(refused(receipt, test_key(), expected(), now + 29'999));
  EXPECT_TRUE(refused(receipt, test_key(), expected(), now - 5'001)) << "from the future";
  Expected wanted = expected();
  wanted.tenant = Id::random();
  EXPECT_TRUE(refused(receipt, test_key(), wanted, now)) << "another tenant";
  wanted = expected();
  wanted.connection = Id::random();
  EXPECT_TRUE(refused(receipt, test_key(), wanted, now)) << "another connection";
  wanted = expected();
  wanted.type = "use.outcome";
  EXPECT_TRUE(refused(receipt, test_key(), wanted, now)) << "another type";
  wanted = expected();
  wanted.fields["purpose"] = "backup.read";
  EXPECT_TRUE(refused(receipt, test_key(), wanted, now)) << "another purpose";
  wanted = expected();
  wanted.fields["dest.port"] = "587";
  EXPECT_TRUE(refused(receipt, test_key(), wanted, now)) << "text is not a number";
  wanted = expected();
  wanted.fields["lim.bytes"] = 5;
  EXPECT_TRUE(refused(receipt, test_key(), wanted, now)) << "a field that is not there";
}

TEST_F(LedgerClientAndService, a_receipt_with_any_changed_byte_is_refused) {
  ASSERT_TRUE(client.append(intent(), soon()));
  const std::string bytes = client.append(intent(), soon())->encode();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] ^= 0x10;
    const auto receipt = Receipt::parse(changed);
    EXPECT_FALSE(receipt && verify_receipt(*receipt, test_key(), expected(), clock.now())) << "byte " << i;
  }
  for (std::size_t length = 0; length < bytes.size(); ++length) EXPECT_FALSE(Receipt::parse(bytes.substr(0, length))) << length;
}

TEST_F(LedgerClientAndService, the_signature_of_a_batch_is_checked_with_the_first_of_its_receipts) {
  ASSERT_TRUE(client.append(intent(), soon()));  // the hour's key
  std::vector<Receipt> receipts(40);
  {
    std::vector<std::jthread> threads;
    for (Receipt& each : receipts) threads.emplace_back([&] { each = *client.append(intent(), soon()); });
  }
  BatchSignatures signatures;
  std::set<std::string> different;
  for (const Receipt& each : receipts) {
    different.insert(each.signature);
    for (int time = 0; time < 2; ++time) ASSERT_TRUE(verify_receipt(each, test_key(), expected(), clock.now(), signatures));
    EXPECT_EQ(signatures.checks(), different.size());
  }
}

TEST_F(LedgerClientAndService, a_known_signature_stands_for_nothing_but_what_it_was_checked_with) {
  const Receipt receipt = *client.append(intent(), soon());
  Entry export_intent = intent();
  export_intent.fields["purpose"] = "backup.read";
  const Receipt other = *client.append(export_intent, soon());
  BatchSignatures signatures;
  ASSERT_TRUE(verify_receipt(receipt, test_key(), expected(), clock.now(), signatures));
  const auto refused = [&](const Receipt& what, const tlog::NoteKey& key, const Expected& wanted, Milliseconds now) {
    return !verify_receipt(what, key, wanted, now, signatures);
  };
  // The other entry as a tree of its own under the known signature.
  Receipt forged = other;
  forged.signature = receipt.signature;
  forged.index = 0;
  forged.size = 1;
  forged.proof.clear();
  forged.root = forged.leaf();
  Expected wanted = expected();
  wanted.fields["purpose"] = "backup.read";
  EXPECT_TRUE(refused(forged, test_key(), wanted, clock.now()));
  Receipt longer = receipt;
  longer.time += 1000;
  longer.expires += 1000;
  EXPECT_TRUE(refused(longer, test_key(), expected(), clock.now()));
  EXPECT_TRUE(refused(receipt, {test_key().name, test_signer('x').public_key()}, expected(), clock.now())) << "another key";
  EXPECT_TRUE(refused(receipt, test_key(), expected(), receipt.expires)) << "expired";
}

TEST_F(LedgerClientAndService, of_a_signature_that_does_not_hold_nothing_is_kept) {
  Receipt receipt = *client.append(intent(), soon());
  receipt.signature[5] ^= 1;
  BatchSignatures signatures;
  for (std::uint64_t time = 1; time <= 3; ++time) {
    EXPECT_FALSE(verify_receipt(receipt, test_key(), expected(), clock.now(), signatures));
    EXPECT_EQ(signatures.checks(), time);
  }
}

TEST_F(LedgerClientAndService, the_oldest_of_many_signatures_is_forgotten) {
  BatchSignatures signatures;
  std::vector<Receipt> receipts;
  for (std::size_t i = 0; i <= BatchSignatures::known_max; ++i) receipts.push_back(*client.append(intent(), soon()));
  const auto checks_for = [&](const Receipt& receipt) {
    const std::uint64_t before = signatures.checks();
    EXPECT_TRUE(verify_receipt(receipt, test_key(), expected(), clock.now(), signatures));
    return signatures.checks() - before;
  };
  for (const Receipt& each : receipts) EXPECT_EQ(checks_for(each), 1U);
  EXPECT_EQ(checks_for(receipts[1]), 0U);
  EXPECT_EQ(checks_for(receipts[0]), 1U);
}

TEST_F(LedgerClientAndService, proof_and_text_of_another_entry_do_not_fit) {
  const Receipt first = *client.append(intent(), soon());
  Entry other = intent();
  other.fields["purpose"] = "backup.read";
  Receipt mixed = *client.append(other, soon());
  mixed.clear_text = first.clear_text;
  EXPECT_FALSE(verify_receipt(mixed, test_key(), expected(), clock.now()));
  mixed.entry = first.entry;
  EXPECT_FALSE(verify_receipt(mixed, test_key(), expected(), clock.now()));
}

TEST_F(LedgerClientAndService, what_was_sealed_is_shown_to_whoever_may_open_boxes) {
  for (int i = 0; i < 3; ++i) {
    Entry entry = intent();
    entry.fields["number"] = std::int64_t{i};
    ASSERT_TRUE(client.append(entry, soon()));
  }
  EXPECT_EQ(key_questions, 1) << "one key per tenant and hour";
  const auto shown =
      boost::json::parse(*service.api(R"({"verb":"ledger.show","tenant":")" + tenant.text() + R"(","from":2})")).as_object();
  const auto& entries = shown.at("entries").as_array();
  ASSERT_EQ(entries.size(), 2U);
  EntryOpener opener(open_box, "eu");
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::string bytes = *from_base64url(entries[i].at("entry").as_string());
    EXPECT_EQ(bytes.find("route.submit"), bytes.npos);
    const Entry entry = *parse_clear_text(*opener.open(bytes, tenant, soon()));
    EXPECT_EQ(entry.fields.at("number"), Value(static_cast<std::int64_t>(i + 1)));
    EXPECT_EQ(opener.open(bytes, Id::random(), soon()).error().kind, ErrorKind::corrupt);
  }
  EXPECT_EQ(boxes_opened, 1);
  EXPECT_FALSE(EntryOpener(open_box, "us").open(*from_base64url(entries[0].at("entry").as_string()), tenant, soon()));
}

TEST_F(LedgerClientAndService, an_entry_moved_to_another_envelope_does_not_open) {
  const Receipt one = *client.append(intent(), soon());
  const Receipt other = *client.append(intent(), soon());
  Event mixed = *parse_event(one.entry);
  mixed.payload = parse_event(other.entry)->payload;
  EntryOpener opener(open_box, "eu");
  EXPECT_TRUE(opener.open(one.entry, tenant, soon()));
  EXPECT_EQ(opener.open(encode(mixed), tenant, soon()).error().kind, ErrorKind::corrupt);
  Event elsewhere = *parse_event(one.entry);
  elsewhere.connection = Id::random();
  EXPECT_EQ(opener.open(encode(elsewhere), tenant, soon()).error().kind, ErrorKind::corrupt);
}

TEST_F(LedgerClientAndService, the_hour_key_changes_with_the_hour) {
  ASSERT_TRUE(client.append(intent(), soon()));
  clock.advance(3'600'000);
  const Receipt later = *client.append(intent(), soon());
  EXPECT_EQ(key_questions, 2);
  EXPECT_TRUE(EntryOpener(open_box, "eu").open(later.entry, tenant, soon()));
}

TEST_F(LedgerClientAndService, only_the_right_roles_are_answered) {
  for (const char* role : {"gatewayd-in", "gatewayd-out", "linkd", "authd", "keyd", ""}) {
    LedgerClient stranger(call_as(role), find_key, "eu", clock);
    EXPECT_EQ(stranger.append(intent(), soon()).error().kind, ErrorKind::denied) << role;
  }
  EXPECT_EQ(call_as("brokerd")(99, {}, soon()).error().kind, ErrorKind::denied);
  EXPECT_EQ(call_as("brokerd")(1, "short", soon()).error().kind, ErrorKind::invalid_input);
  EXPECT_TRUE(tlog::NoteKey::parse(*call_as("apid")(4, {}, soon())));
}

TEST_F(LedgerClientAndService, an_unknown_tenant_gets_no_entry) {
  Entry entry = intent();
  entry.tenant = Id::random();
  EXPECT_EQ(client.append(entry, soon()).error().kind, ErrorKind::not_found);
}

TEST_F(LedgerClientAndService, status_verify_and_reopen_answer_over_the_api) {
  ASSERT_TRUE(client.append(intent(), soon()));
  const auto answer = [&](const std::string& verb) {
    return boost::json::parse(*service.api("{\"verb\":\"" + verb + "\"}")).as_object();
  };
  EXPECT_TRUE(answer("ledger.status").at("open").as_bool());
  EXPECT_EQ(answer("ledger.status").at("size").to_number<int>(), 1);
  const auto verdict = answer("ledger.verify");
  EXPECT_TRUE(verdict.at("sound").as_bool()) << verdict.at("fault");
  EXPECT_EQ(verdict.at("size").to_number<int>(), 2);
  EXPECT_EQ(answer("ledger.reopen").at("size").to_number<int>(), 3);
  EXPECT_EQ(service.api("{\"verb\":\"ledger.burn\"}").error().kind, ErrorKind::not_found);
  EXPECT_EQ(service.api("[]").error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(service.api("{\"verb\":\"ledger.show\",\"tenant\":\"x\"}").error().kind, ErrorKind::invalid_input);
}

TEST_F(LedgerClientAndService, a_head_proof_travels_to_whoever_asks) {
  ASSERT_TRUE(client.append(intent(), soon()));
  ASSERT_TRUE(service.api("{\"verb\":\"ledger.verify\"}"));  // writes the heads
  const HeadProof proof = *HeadProof::parse(*call_as("apid")(2, tenant.bytes(), soon()));
  EXPECT_TRUE(verify_head_proof(proof, test_key()));
  EXPECT_EQ(proof.head.seq, 1U);
}

TEST(LedgerServiceAlone, is_unavailable_until_it_has_its_log) {
  LedgerService service;
  service.ask("brokerd", 1, {},
              [](const Result<std::string>& answer) { EXPECT_EQ(answer.error().kind, ErrorKind::unavailable); });
  EXPECT_EQ(service.api("{\"verb\":\"ledger.status\"}").error().kind, ErrorKind::unavailable);
}

}  // namespace
}  // namespace mailhold::ledger
