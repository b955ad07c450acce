// libunbound against a name server of another make (dnspython) on the loopback, and against nobody.
#include "platform/dns/unbound_resolver.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "corpora.h"

namespace mailhold::dns {
namespace {

using namespace std::chrono_literals;

Deadline soon() { return Deadline::after(10s); }

const std::string long_text(900, 'x');

std::string zone_text() {
  const std::string string = "\"" + std::string(225, 'x') + "\" ";
  return "@ 60 SOA ns h 1 3600 600 86400 30\n@ 60 NS ns\nns 60 A 127.0.0.1\n@ 60 MX 20 mx2\n@ 60 MX 10 MX1\n@ 60 TXT \"v=spf1 \" "
         "\"mx -all\"\n"
         "mx1 60 A 192.0.2.1\nmx1 60 AAAA 2001:db8::1\nwww 60 CNAME mx1\nsel._domainkey 60 TXT " +
         string + string + string + string +
         "\n"
         "big 60 TXT " +
         string + string + string + string + string + string + string +
         "\nnull 60 MX 0 .\nodd 60 PTR a\\046b.example.test.\n"
         "_25._tcp.mx1 60 TLSA 3 1 1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";
}

class NameServer {
 public:
  NameServer() {
    zone_file_ = std::filesystem::temp_directory_path() / ("zone-" + std::to_string(getpid()));
    std::ofstream(zone_file_) << zone_text();
    int to_child[2], from_child[2];
    if (pipe(to_child) != 0 || pipe(from_child) != 0) return;
    child_ = fork();
    if (child_ == 0) {
      dup2(to_child[0], 0);
      dup2(from_child[1], 1);
      close(to_child[1]);
      execl("/usr/bin/python3", "python3", MAILHOLD_SOURCE_DIR "/src/platform/dns/dns_server_peer.py", zone_file_.c_str(),
            nullptr);
      _exit(127);
    }
    close(to_child[0]);
    close(from_child[1]);
    input_ = to_child[1];
    std::string text;
    for (char byte = 0; std::count(text.begin(), text.end(), '\n') < 2 && read(from_child[0], &byte, 1) == 1;) text += byte;
    close(from_child[0]);
    const auto lines = split(text, '\n');
    if (lines.size() < 2) return;
    address = "127.0.0.1@" + std::string(lines[0]);
    dnskey = lines[1];
  }
  ~NameServer() {
    close(input_);
    waitpid(child_, nullptr, 0);
    std::filesystem::remove(zone_file_);
  }
  std::string address;  // empty: dnspython is not there
  std::string dnskey;

 private:
  std::filesystem::path zone_file_;
  pid_t child_ = -1;
  int input_ = -1;
};

class UnboundResolverTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = std::make_unique<NameServer>(); }
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override { SKIP_UNLESS(!server_->address.empty(), "python3-dnspython is not installed"); }

  static std::unique_ptr<UnboundResolver> forwarding(std::vector<std::string> anchors = {}) {
    UnboundSettings settings;
    settings.servers = {server_->address};
    settings.trust_anchors = std::move(anchors);
    return UnboundResolver::create(std::move(settings)).value();
  }

  static std::unique_ptr<NameServer> server_;
};

std::unique_ptr<NameServer> UnboundResolverTest::server_;

TEST_F(UnboundResolverTest, gives_each_type_as_a_value) {
  const auto resolver = forwarding();
  const Question questions[] = {{"Example.TEST", RecordType::mx},
                                {"example.test", RecordType::txt},
                                {"mx1.example.test", RecordType::a},
                                {"mx1.example.test", RecordType::aaaa},
                                {"_25._tcp.mx1.example.test", RecordType::tlsa},
                                {"sel._domainkey.example.test", RecordType::txt},
                                {"null.example.test", RecordType::mx}};
  const std::vector<Answer> answers = resolver->resolve_all(questions, soon());
  for (const Answer& answer : answers) EXPECT_EQ(answer.status, AnswerStatus::ok);
  EXPECT_EQ(answers[0].records, (std::vector<Record>{{"mx1.example.test", 10}, {"mx2.example.test", 20}}));
  EXPECT_EQ(answers[1].records.at(0).value, "v=spf1 mx -all");
  EXPECT_EQ(answers[2].records.at(0).value, *parse_address("192.0.2.1"));
  EXPECT_EQ(answers[3].records.at(0).value, *parse_address("2001:db8::1"));
  EXPECT_EQ(answers[4].records.at(0).value.size(), 35u);
  EXPECT_EQ(answers[5].records.at(0).value, long_text);
  EXPECT_EQ(answers[6].records.at(0), (Record{"", 0}));
  EXPECT_GT(answers[0].ttl_seconds, 0u);
  EXPECT_LE(answers[0].ttl_seconds, 60u);
  EXPECT_FALSE(answers[0].secure);
}

TEST_F(UnboundResolverTest, tells_absent_names_from_absent_types_and_follows_aliases) {
  const auto resolver = forwarding();
  EXPECT_EQ(resolver->resolve({"nobody.example.test", RecordType::a}, soon()).status, AnswerStatus::nxdomain);
  EXPECT_EQ(resolver->resolve({"mx1.example.test", RecordType::mx}, soon()).status, AnswerStatus::nodata);
  const Answer alias = resolver->resolve({"www.example.test", RecordType::a}, soon());
  EXPECT_EQ(alias.canonical_name, "mx1.example.test");
  EXPECT_EQ(alias.records.at(0).value, *parse_address("192.0.2.1"));
}

TEST_F(UnboundResolverTest, takes_large_answers_over_tcp_and_refuses_odd_names_in_answers) {
  const auto resolver = forwarding();
  EXPECT_EQ(resolver->resolve({"big.example.test", RecordType::txt}, soon()).records.at(0).value.size(), 7u * 225);
  EXPECT_EQ(resolver->resolve({"odd.example.test", RecordType::ptr}, soon()).status, AnswerStatus::servfail);
}

TEST_F(UnboundResolverTest, knows_signed_answers_from_forged_ones) {
  EXPECT_TRUE(forwarding({server_->dnskey})->resolve({"mx1.example.test", RecordType::a}, soon()).secure);
  // The key of somebody else: everything below it is forged.
  const std::string other = "example.test. 60 IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=";
  const Answer forged = forwarding({other})->resolve({"mx1.example.test", RecordType::a}, soon());
  EXPECT_EQ(forged.status, AnswerStatus::bogus);
  EXPECT_TRUE(forged.records.empty());
}

TEST_F(UnboundResolverTest, asks_the_server_of_a_stub_zone) {
  UnboundSettings settings;
  settings.servers = {"127.0.0.1@9"};
  settings.stub_zones = {{"example.test", server_->address}};
  const auto resolver = UnboundResolver::create(std::move(settings)).value();
  EXPECT_EQ(resolver->resolve({"mx1.example.test", RecordType::a}, soon()).status, AnswerStatus::ok);
}

TEST_F(UnboundResolverTest, answers_many_questions_at_once) {
  const auto resolver = forwarding();
  std::vector<Question> questions;
  for (int index = 0; index < 500; ++index) questions.push_back({"n" + std::to_string(index) + ".example.test", RecordType::txt});
  for (const Answer& answer : resolver->resolve_all(questions, soon())) EXPECT_EQ(answer.status, AnswerStatus::nxdomain);
}

TEST(UnboundResolver, local_records_need_no_server) {
  UnboundSettings settings;
  settings.resolv_conf.clear();
  settings.local_records = {"example.test 300 IN TXT \"v=spf1 -all\""};
  const auto resolver = UnboundResolver::create(std::move(settings)).value();
  EXPECT_EQ(resolver->resolve({"example.test", RecordType::txt}, soon()).records.at(0).value, "v=spf1 -all");
}

TEST(UnboundResolver, a_silent_server_is_a_timeout) {
  const int silent = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(bind(silent, reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(getsockname(silent, reinterpret_cast<sockaddr*>(&address), &length), 0);
  UnboundSettings settings;
  settings.servers = {"127.0.0.1@" + std::to_string(ntohs(address.sin_port))};
  settings.question_time_max = 300ms;
  const auto resolver = UnboundResolver::create(std::move(settings)).value();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(resolver->resolve({"example.test", RecordType::a}, soon()).status, AnswerStatus::timeout);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 2s);
  close(silent);
}

TEST(UnboundResolver, names_dns_cannot_carry_are_never_asked) {
  UnboundSettings settings;
  settings.servers = {"127.0.0.1@9"};
  const auto resolver = UnboundResolver::create(std::move(settings)).value();
  for (const std::string& name : {std::string(300, 'a'), std::string(64, 'a') + ".test", std::string("a\0.test", 7),
                                  std::string("a\\046b.test"), std::string("a..b")}) {
    EXPECT_EQ(resolver->resolve({name, RecordType::a}, soon()).status, AnswerStatus::nxdomain) << name;
  }
}

TEST(UnboundResolver, refuses_settings_it_cannot_use) {
  for (UnboundSettings settings :
       {UnboundSettings{.servers = {"name.example"}}, UnboundSettings{.local_records = {"no record"}}}) {
    const auto resolver = UnboundResolver::create(settings);
    ASSERT_FALSE(resolver);
    EXPECT_EQ(resolver.error().kind, ErrorKind::invalid_input);
  }
  EXPECT_EQ(read_trust_anchors("/nonexistent").error().kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace mailhold::dns
