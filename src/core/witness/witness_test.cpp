#include "core/witness/witness.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <fstream>
#include <thread>

#include "core/witness/witness_client.h"
#include "core/witness/witness_server.h"
#include "formats/tlog/witness_request.h"
#include "platform/net/listener.h"

namespace mailhold::witness {
namespace {

class FixedClock final : public Clock {
 public:
  Milliseconds now() const override { return 1'795'000'000'123; }
};

crypto::Ed25519Signer signer_of(char letter) { return *crypto::Ed25519Signer::from_seed(std::string(32, letter)); }

// A log in memory, which can also fork.
struct TestLog {
  std::string origin = "log.test/eu";
  tlog::Tree tree;

  void grow(int count, const std::string& what = "entry") {
    for (int i = 0; i < count; ++i) tree.append(tlog::hash_leaf(what + std::to_string(tree.size())));
  }
  tlog::Checkpoint checkpoint() const { return {origin, tree.size(), tree.root(), {}}; }
  std::string note(char key = 'l') const {
    tlog::SignedNote signed_note{checkpoint().text(), {}};
    EXPECT_TRUE(tlog::sign_note(signed_note, origin, signer_of(key)));
    return signed_note.encode();
  }
  std::string request(std::uint64_t old_size) const {
    tlog::WitnessRequest request{old_size, {}, note()};
    if (old_size > 0 && old_size < tree.size()) request.proof = *tlog::make_consistency_proof(tree, old_size, tree.size());
    return request.encode();
  }
};

class WitnessRoom : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/mailhold-witness-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    settings.folder = name;
    settings.name = "witness.test/w1";
    settings.logs = {{"log.test/eu", signer_of('l').public_key()}};
    log.grow(5);
  }
  void TearDown() override { std::filesystem::remove_all(settings.folder); }
  std::unique_ptr<Witness> opened() {
    auto witness = Witness::open(settings, signer_of('w'), clock);
    EXPECT_TRUE(witness) << (witness ? "" : witness.error().detail);
    return witness ? std::move(*witness) : nullptr;
  }
  std::filesystem::path state_file() const {
    for (const auto& file : std::filesystem::directory_iterator(settings.folder)) {
      if (file.path().extension() == ".note") return file.path();
    }
    return {};
  }

  WitnessSettings settings;
  FixedClock clock;
  TestLog log;
};

TEST_F(WitnessRoom, cosigns_what_continues_the_last_and_keeps_it_before_it_answers) {
  const auto witness = opened();
  const WitnessAnswer first = witness->add_checkpoint(log.request(0));
  ASSERT_EQ(first.status, 200) << first.body;
  tlog::SignedNote note = *tlog::SignedNote::parse(log.note());
  note.signatures = *tlog::parse_signatures(first.body);
  EXPECT_EQ(*tlog::verify_cosignature(note, witness->key()), 1'795'000'000U);
  const auto kept = tlog::SignedNote::parse([&] {
    std::ifstream file(state_file());
    return std::string{std::istreambuf_iterator<char>(file), {}};
  }());
  ASSERT_TRUE(kept);
  EXPECT_TRUE(tlog::verify_cosignature(*kept, witness->key()));
  for (int i = 0; i < 20; ++i) {
    const std::uint64_t before = log.tree.size();
    log.grow(i * 7);
    ASSERT_EQ(witness->add_checkpoint(log.request(before)).status, 200) << i;  // unchanged ones too: they refresh the time
  }
  EXPECT_EQ(witness->size_of("log.test/eu"), log.tree.size());
}

TEST_F(WitnessRoom, answers_every_case_of_the_specification_with_its_status) {
  const auto witness = opened();
  EXPECT_EQ(witness->add_checkpoint("nonsense").status, 400);
  EXPECT_EQ(witness->add_checkpoint("old 0\n\nno note").status, 400);
  EXPECT_EQ(witness->add_checkpoint(log.request(6)).status, 400);  // larger than the checkpoint
  ASSERT_EQ(witness->add_checkpoint(log.request(0)).status, 200);
  log.grow(4);
  for (const std::uint64_t old_size : {0U, 4U, 7U, 9U}) {
    const WitnessAnswer conflict = witness->add_checkpoint(log.request(old_size));
    EXPECT_EQ(conflict.status, 409);
    EXPECT_EQ(conflict.content_type, "text/x.tlog.size");
    EXPECT_EQ(conflict.body, "5\n");
  }
  tlog::WitnessRequest bad{5, *tlog::make_consistency_proof(log.tree, 5, 9), log.note()};
  bad.proof[0] = tlog::hash_leaf("other");
  EXPECT_EQ(witness->add_checkpoint(bad.encode()).status, 422);
  bad.proof.clear();
  EXPECT_EQ(witness->add_checkpoint(bad.encode()).status, 422);
  EXPECT_EQ(
      witness->add_checkpoint(tlog::WitnessRequest{5, *tlog::make_consistency_proof(log.tree, 5, 9), log.note('x')}.encode())
          .status,
      403);
  TestLog unknown = log;
  unknown.origin = "log.test/us";
  EXPECT_EQ(witness->add_checkpoint(unknown.request(5)).status, 404);
  EXPECT_EQ(witness->add_checkpoint(log.request(5)).status, 200);
}

TEST_F(WitnessRoom, a_first_checkpoint_with_a_proof_is_refused) {
  const auto witness = opened();
  EXPECT_EQ(witness->add_checkpoint(tlog::WitnessRequest{0, {tlog::hash_leaf("x")}, log.note()}.encode()).status, 422);
  EXPECT_EQ(witness->size_of("log.test/eu"), 0U);
}

// T34, the part of a witness: whoever holds the log's key shows it another history, a shorter one, or the same once more.
TEST_F(WitnessRoom, T34_a_split_view_under_the_logs_own_key_is_never_cosigned_and_both_sides_are_kept) {
  const auto witness = opened();
  log.grow(300);
  ASSERT_EQ(witness->add_checkpoint(log.request(0)).status, 200);
  TestLog fork;
  fork.grow(200);
  fork.grow(105, "forged");
  EXPECT_EQ(fork.tree.size(), log.tree.size());
  EXPECT_EQ(witness->add_checkpoint(fork.request(305)).status, 409);  // same size, another root
  fork.grow(10, "forged");
  EXPECT_EQ(witness->add_checkpoint(fork.request(305)).status, 422);  // its own proof does not begin at our root
  EXPECT_EQ(witness->size_of("log.test/eu"), 305U);
  const std::filesystem::directory_iterator evidence(settings.folder / "evidence");
  EXPECT_EQ(std::distance(begin(evidence), end(evidence)), 2);
  log.grow(1);
  EXPECT_EQ(witness->add_checkpoint(log.request(305)).status, 200);  // the honest one goes on
}

TEST_F(WitnessRoom, T34_a_rolled_back_log_is_refused_also_after_a_restart) {
  const TestLog earlier = log;
  {
    const auto witness = opened();
    log.grow(3);
    ASSERT_EQ(witness->add_checkpoint(log.request(0)).status, 200);
  }
  const auto witness = opened();
  EXPECT_EQ(witness->size_of("log.test/eu"), 8U);
  for (const std::uint64_t old_size : {0U, 5U}) EXPECT_EQ(witness->add_checkpoint(earlier.request(old_size)).body, "8\n");
}

TEST_F(WitnessRoom, does_not_serve_with_a_state_that_it_did_not_sign) {
  {
    ASSERT_EQ(opened()->add_checkpoint(log.request(0)).status, 200);
  }
  std::ofstream(state_file(), std::ios::trunc) << log.note();  // the log's signature alone
  EXPECT_EQ(Witness::open(settings, signer_of('w'), clock).error().kind, ErrorKind::corrupt);
  std::ofstream(state_file(), std::ios::trunc) << "";
  EXPECT_EQ(Witness::open(settings, signer_of('w'), clock).error().kind, ErrorKind::corrupt);
}

TEST_F(WitnessRoom, one_process_at_a_time_holds_its_folder) {
  const auto witness = opened();
  EXPECT_EQ(Witness::open(settings, signer_of('w'), clock).error().kind, ErrorKind::unavailable);
}

TEST_F(WitnessRoom, without_a_disk_it_signs_nothing) {
  const auto witness = opened();
  ASSERT_EQ(witness->add_checkpoint(log.request(0)).status, 200);
  log.grow(1);
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit none{10, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &none);
  const WitnessAnswer answer = witness->add_checkpoint(log.request(5));
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body.find("\xE2\x80\x94"), std::string::npos);
  EXPECT_EQ(witness->size_of("log.test/eu"), 5U);
  EXPECT_EQ(witness->add_checkpoint(log.request(5)).status, 200);
}

TEST_F(WitnessRoom, of_two_requests_at_once_for_different_futures_one_is_cosigned) {
  const auto witness = opened();
  ASSERT_EQ(witness->add_checkpoint(log.request(0)).status, 200);
  TestLog fork;
  fork.grow(5);
  log.grow(1);
  fork.grow(1, "forged");
  for (int round = 0; round < 20; ++round) {
    const std::uint64_t size = witness->size_of("log.test/eu");
    std::atomic<int> cosigned = 0;
    {
      std::vector<std::jthread> threads;
      for (const TestLog* one : {&log, &fork}) {
        threads.emplace_back(
            [&, request = one->request(5)] { cosigned += witness->add_checkpoint(request).status == 200 ? 1 : 0; });
      }
    }
    EXPECT_EQ(cosigned, size == 5 ? 1 : 0);
  }
}

TEST_F(WitnessRoom, is_asked_over_http) {
  const auto witness = opened();
  const int listener = *net::listen_tcp("127.0.0.1", 0);
  const std::uint16_t port = net::port_of(listener);
  std::jthread serving([&](const std::stop_token& stop) { serve(listener, *witness, stop); });
  const auto url = *WitnessUrl::parse("http://127.0.0.1:" + std::to_string(port) + "/some/prefix/");
  const auto resolve = [](const std::string& host, const Deadline&) { return std::vector{host}; };
  const auto deadline = Deadline::after(std::chrono::seconds(20));
  const auto reply = ask(url, log.request(0), "", resolve, deadline);
  ASSERT_TRUE(reply) << reply.error().detail;
  EXPECT_EQ(reply->kind, WitnessReply::Kind::cosigned);
  ASSERT_EQ(reply->signatures.size(), 1U);
  EXPECT_EQ(reply->signatures[0].name, "witness.test/w1");
  log.grow(1);
  const auto conflict = ask(url, log.request(0), "", resolve, deadline);
  EXPECT_EQ(conflict->kind, WitnessReply::Kind::conflict);
  EXPECT_EQ(conflict->size, 5U);
  EXPECT_EQ(ask(url, "nonsense", "", resolve, deadline)->status, 400);
}

TEST(WitnessReply, takes_what_the_specification_allows_and_nothing_else) {
  const auto head = [](const std::string& status, const std::string& fields = "") {
    return "HTTP/1.1 " + status + "\r\n" + fields + "\r\n";
  };
  EXPECT_EQ(parse_reply(head("409 Conflict") + "17\n")->size, 17U);
  EXPECT_EQ(parse_reply(head("404 Not Found") + "?")->status, 404);
  for (const std::string& bad :
       {std::string(), std::string("HTTP/1.1 200 OK\r\n"), head("200 OK"), head("200 OK") + "no line\n",
        head("409 Conflict") + "x\n", head("409 Conflict") + "17", head("2x0 OK"),
        head("409 Conflict", "Content-Length: 9\r\n") + "17\n", head("409 Conflict", "Transfer-Encoding: chunked\r\n") + "17\n",
        std::string("SSH-2.0-x\r\n\r\n")}) {
    EXPECT_FALSE(parse_reply(bad)) << bad;
  }
}

TEST(WitnessUrl, names_host_port_and_path) {
  const auto url = *WitnessUrl::parse("https://witness.example/prefix/");
  EXPECT_TRUE(url.tls);
  EXPECT_EQ(url.host + ":" + std::to_string(url.port) + url.path, "witness.example:443/prefix/add-checkpoint");
  EXPECT_EQ(WitnessUrl::parse("http://[::1]:8090")->host, "::1");
  for (const char* bad : {"", "witness.example", "ftp://x", "https://", "https://a b/", "https://u@h/", "https://h:0/",
                          "https://h:99999/", "https://h/?q", "https://[::1", "https://h:1:2/", "https://h/\r\nX: y"}) {
    EXPECT_FALSE(WitnessUrl::parse(bad)) << bad;
  }
}

}  // namespace
}  // namespace mailhold::witness
