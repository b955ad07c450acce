#include "core/evidence/export_check.h"

#include <gtest/gtest.h>

#include <fstream>
#include <future>

#include "base/text.h"
#include "core/ledger/ledger_client.h"
#include "core/ledger/ledger_service.h"
#include "fakes/temporary_ledger.h"
#include "platform/crypto/hash.h"
#include "platform/crypto/x25519.h"

namespace mailhold::ledger {
namespace {

namespace fs = std::filesystem;

class ExportCheck : public testing::Test {
 protected:
  void SetUp() override {
    auto log = std::make_unique<Log>(settings_in(folder.path()), test_signer(), clock);
    ASSERT_TRUE(log->reopen());
    service.use(std::move(log));
    fs::create_directories(unpacked / "INBOX");
    put("INBOX/a.eml", "Subject: a\r\n\r\n");
    put("INDEX.jsonl", "{}\n");
    const std::string manifest = line("INBOX/a.eml") + line("INDEX.jsonl");
    put("MANIFEST.sha256", manifest);
    put("MANIFEST.receipt", receipt_for("export.made", manifest));
  }
  void put(const std::string& name, const std::string& bytes) { std::ofstream(unpacked / name, std::ios::binary) << bytes; }
  std::string line(const std::string& name) {
    std::ifstream file(unpacked / name, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    return to_hex(crypto::sha256(bytes)) + "  " + name + "\n";
  }
  std::string receipt_for(const std::string& type, const std::string& manifest) {
    LedgerClient client(
        [this](std::uint16_t method, std::string_view body, const Deadline&) {
          std::promise<Result<std::string>> answer;
          service.ask("brokerd", method, body, [&](Result<std::string> result) { answer.set_value(std::move(result)); });
          return answer.get_future().get();
        },
        [this](Id, const Deadline&) -> Result<keys::LedgerPublicKey> { return keys::LedgerPublicKey{1, pair.public_key}; },
        "test", clock);
    const auto receipt = client.append({Id::from_bytes("0123456789abcdef"),
                                        {},
                                        type,
                                        {{"manifest", to_hex(crypto::sha256(manifest))},
                                         {"mailbox", "m"},
                                         {"items", std::int64_t{1}},
                                         {"failed", std::int64_t{0}}}},
                                       Deadline::after(std::chrono::seconds(10)));
    EXPECT_TRUE(receipt);
    return receipt ? receipt->encode() : "";
  }
  ExportVerdict verify() { return verify_export(unpacked, test_key()); }

  TemporaryFolder folder, exported;
  const fs::path unpacked = exported.path();
  SharedClock clock{1'795'000'000'000};
  LedgerService service{clock};
  crypto::X25519KeyPair pair = crypto::x25519_generate();
};

TEST_F(ExportCheck, is_sound_years_after_its_receipt_was_made) {
  const ExportVerdict verdict = verify();
  EXPECT_TRUE(verdict.sound) << verdict.fault;
  EXPECT_EQ(verdict.files, 2U);
  EXPECT_EQ(verdict.items, 1);
  EXPECT_EQ(verdict.mailbox, "m");
  EXPECT_EQ(verdict.at, clock.now());
}

TEST_F(ExportCheck, names_what_was_changed_taken_away_or_added) {
  put("INBOX/a.eml", "Subject: b\r\n\r\n");
  EXPECT_EQ(verify().fault, "changed: INBOX/a.eml");
  fs::remove(unpacked / "INBOX/a.eml");
  EXPECT_NE(verify().fault.find("missing: "), std::string::npos);
  put("INBOX/a.eml", "Subject: a\r\n\r\n");
  put("INBOX/b.eml", "");
  EXPECT_EQ(verify().fault, "not of this export: INBOX/b.eml");
  fs::remove(unpacked / "INBOX/b.eml");
  fs::create_symlink("a.eml", unpacked / "INBOX/link");
  EXPECT_NE(verify().fault.find("a symbolic link: "), std::string::npos);
}

TEST_F(ExportCheck, a_manifest_written_anew_has_no_receipt) {
  put("INBOX/a.eml", "Subject: b\r\n\r\n");
  put("MANIFEST.sha256", line("INBOX/a.eml") + line("INDEX.jsonl"));
  EXPECT_NE(verify().fault.find("manifest"), std::string::npos) << verify().fault;
}

TEST_F(ExportCheck, a_receipt_of_something_else_or_of_another_log_is_refused) {
  const std::string manifest = line("INBOX/a.eml") + line("INDEX.jsonl");
  put("MANIFEST.receipt", receipt_for("use.intent", manifest));
  EXPECT_FALSE(verify().sound);
  put("MANIFEST.receipt", "no receipt");
  EXPECT_FALSE(verify().sound);
  put("MANIFEST.receipt", receipt_for("export.made", manifest));
  EXPECT_TRUE(verify().sound);
  tlog::NoteKey other = test_key();
  other.public_key[0] = static_cast<char>(other.public_key[0] ^ 1);
  EXPECT_FALSE(verify_export(unpacked, other).sound);
}

TEST(Manifest, must_not_leave_its_folder) {
  const std::string hash(64, 'a');
  EXPECT_TRUE(parse_manifest(hash + "  a/b c.eml\n"));
  for (const std::string& bad :
       {hash + "  ../a\n", hash + "  /a\n", hash + "  a//b\n", hash + "  a\\b\n", hash + " a\n", hash + "  a",
        "zz" + hash.substr(2) + "  a\n", hash + "  a\n" + hash + "  a\n", hash + "  \n", std::string("\n")})
    EXPECT_FALSE(parse_manifest(bad)) << bad;
}

}  // namespace
}  // namespace mailhold::ledger
