#include <gtest/gtest.h>

#include <filesystem>

#include "core/keys/key_client.h"
#include "core/keys/key_door.h"
#include "core/keys/key_service.h"

namespace mailhold::keys {
namespace {

constexpr const char* passphrase = "correct horse battery";
const HostFinding agent{"unknown program", std::string(64, 'a'), ""};
const HostFinding unwatched{"not watched", "", "the state of the host is 75 s old"};

class HostOfKeys : public ::testing::Test {
 protected:
  HostOfKeys() : folder_(std::filesystem::temp_directory_path() / ("host-keys-" + Id::random().text())) {
    std::filesystem::create_directories(folder_);
    reopen();
  }
  ~HostOfKeys() override {
    service_.reset();
    std::filesystem::remove_all(folder_);
  }
  void reopen() {
    service_.reset();
    service_ = std::make_unique<KeyService>(
        KeyService::Settings{
            folder_ / "keystore.db", "test", {.memory_bytes = 64 << 10, .passes = 1}, {}, 4096, [this] { return findings_; }},
        ReceiptVerifier{});
  }
  Status initialise() {
    std::vector<SealRequest> seals(2);
    seals[0].secret = SecretText::copy_of(passphrase);
    seals[1].kind = SealKind::shamir;
    seals[1].threshold = 2;
    seals[1].shares = 3;
    RETURN_IF_ERROR(service_->initialise(seals));
    return done();
  }
  std::vector<KeyEvent> host_events() {
    std::vector<KeyEvent> some;
    for (const KeyEvent& event : service_->events().value()) {
      if (event.name == "host.finding") some.push_back(event);
    }
    return some;
  }

  std::filesystem::path folder_;
  std::vector<HostFinding> findings_;
  std::unique_ptr<KeyService> service_;
};

TEST_F(HostOfKeys, no_seal_is_opened_while_anything_is_unknown) {
  ASSERT_TRUE(initialise());
  reopen();
  findings_ = {agent, agent};
  const auto refused = service_->unseal(SealKind::passphrase, passphrase);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::denied);
  EXPECT_EQ(refused.error().detail,
            "R19: this host is not as it was recorded: unknown program aaaaaaaaaaaaaaaa and 1 more; `mailhold host check` on it "
            "names them");
  EXPECT_EQ(service_->drill(SealKind::passphrase, passphrase).error().kind, ErrorKind::denied);
  EXPECT_EQ(service_->status().seal, Seal::sealed);
  EXPECT_EQ(host_events().size(), 1U);
  findings_.clear();
  EXPECT_TRUE(service_->unseal(SealKind::passphrase, passphrase)->unsealed);
}

TEST_F(HostOfKeys, a_host_that_nobody_watches_opens_nothing_and_makes_no_region) {
  findings_ = {unwatched};
  const Status refused = initialise();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail, "R19: this host is not watched: the state of the host is 75 s old");
  EXPECT_EQ(service_->status().seal, Seal::uninitialised);
}

TEST_F(HostOfKeys, each_finding_becomes_one_event_also_while_sealed_and_again_after_it_went_away) {
  ASSERT_TRUE(initialise());
  service_->look_at_host();
  EXPECT_TRUE(host_events().empty());
  findings_ = {agent, unwatched};
  service_->look_at_host();
  findings_.back().detail = "the state of the host is 80 s old";
  service_->look_at_host();
  auto events = host_events();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].fields, (std::map<std::string, std::string>{
                                  {"rule", "R19"}, {"finding", "unknown program"}, {"subject", std::string(64, 'a')}}));
  EXPECT_EQ(events[1].fields, (std::map<std::string, std::string>{{"rule", "R19"}, {"finding", "not watched"}}));
  service_->seal();
  findings_.clear();
  service_->look_at_host();
  findings_ = {agent};
  service_->look_at_host();
  EXPECT_EQ(host_events().size(), 3U);
}

TEST_F(HostOfKeys, an_open_region_stays_open_and_its_status_tells) {
  ASSERT_TRUE(initialise());
  findings_ = {agent};
  KeyDoor door(*service_);
  KeyClient client([&](std::uint16_t method, std::string_view body, const Deadline&) -> Result<std::string> {
    ASSIGN_OR_RETURN(const SecretText answer, door.answer("apid", method, body));
    return std::string(answer.reveal());
  });
  const KeyStatus status = client.status(Deadline::after(std::chrono::seconds(5))).value();
  EXPECT_EQ(status.seal, Seal::unsealed);
  EXPECT_TRUE(status.host_is_asked);
  ASSERT_EQ(status.host_findings.size(), 1U);
  EXPECT_EQ(status.host_findings[0].kind, agent.kind);
  EXPECT_EQ(status.host_findings[0].subject, agent.subject);
}

}  // namespace
}  // namespace mailhold::keys
