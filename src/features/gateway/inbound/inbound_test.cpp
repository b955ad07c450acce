// The whole server over loopback with a real spool; only the scan and DNS are scripted.
#include "features/gateway/inbound/inbound.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/spool/spool_reader.h"
#include "corpora.h"
#include "formats/sealed/box.h"
#include "platform/crypto/x25519.h"
#include "platform/net/stream.h"
#include "platform/net/tls_client.h"

namespace mailhold::gateway {
namespace {

using namespace std::chrono_literals;

Deadline soon() { return Deadline::after(20s); }

int connect_to(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) ADD_FAILURE() << "connect";
  return socket;
}

class Client {
 public:
  explicit Client(std::uint16_t port) : stream_(net::stream_over(connect_to(port))) {}
  explicit Client(std::unique_ptr<net::Stream> stream) : stream_(std::move(stream)) {}

  // The next reply as "250 2.1.0 text"; empty when the server has closed.
  std::string hear() {
    for (;;) {
      if (const auto reply = reader_.next())
        return std::to_string(reply->code) + (reply->enhanced.empty() ? "" : " " + reply->enhanced) + " " + reply->text();
      const auto bytes = stream_->read_some(soon());
      if (!bytes || bytes->empty()) return {};
      EXPECT_TRUE(reader_.receive(*bytes));
    }
  }
  std::string say(std::string_view bytes) {
    tell(bytes);
    return hear();
  }
  void tell(std::string_view bytes) { EXPECT_TRUE(stream_->write_all(bytes, soon())); }
  // EHLO to 354; `last` is the reply to DATA.
  std::string open(const std::string& recipient) {
    hear();
    say("EHLO c.test\r\n");
    say("MAIL FROM:<a@b.test>\r\n");
    say("RCPT TO:<" + recipient + ">\r\n");
    return say("DATA\r\n");
  }
  std::unique_ptr<net::Stream> take_stream() { return std::move(stream_); }

 private:
  std::unique_ptr<net::Stream> stream_;
  smtp::ReplyReader reader_;
};

class NoDns final : public dns::Resolver {
 public:
  std::vector<dns::Answer> resolve_all(std::span<const dns::Question> questions, const Deadline&) override {
    return std::vector<dns::Answer>(questions.size());
  }
};

class InboundServer : public testing::Test {
 protected:
  InboundServer() {
    std::string pattern = testing::TempDir() + "/inbound-XXXXXX";
    folder = ::mkdtemp(pattern.data());
    settings.host_name = "mx.test";
    settings.connections_per_address_max = 5'000;
    settings.io_threads = 2;
    settings.scan_threads = 4;
    DirectorySnapshot snapshot{1, 0, {}};
    Tenant checked, trusted;
    checked.id = checked_id;
    checked.domains = {{"one.test", false, {"ann", "bob"}}};
    checked.limits.message_bytes_max = 50'000;
    trusted.id = trusted_id;
    trusted.policy.scan = ScanMode::none;
    trusted.domains = {{"two.test", true, {}}};
    snapshot.tenants = {checked, trusted};
    directory.renew(std::make_shared<const Directory>(Directory::build(snapshot).value()));
  }
  ~InboundServer() override {
    inbound.reset();
    spool.reset();
    std::filesystem::remove_all(folder);
  }

  void start(bool with_tls = false) {
    segments::SegmentSettings segment;
    segment.folder = folder;
    segment.segment_bytes = 4u << 20;
    segment.file_mode = 0640;
    spool = spool::SpoolWriter::open(segment, "eu", [this](Id) -> Result<spool::SpoolPublicKey> {
              if (keys_away) return Error{ErrorKind::unavailable, "sealed"};
              return spool::SpoolPublicKey{1, pair.public_key};
            }).value();
    Acceptance::Parts parts;
    parts.scan = [this](const scanning::ScanRequest& request, scanning::Answers& answers, const Deadline& deadline) {
      return scan(request, answers, deadline);
    };
    parts.spool = spool.get();
    parts.resolver = &resolver;
    const int listener = net::listen_tcp("127.0.0.1", 0).value();
    port = net::port_of(listener);
    std::shared_ptr<const net::TlsIdentity> identity;
    if (with_tls) identity = net::TlsIdentity::self_signed("mx.test").value();
    inbound = Inbound::start(settings, parts, directory, identity, {listener}).value();
  }

  struct Kept {
    spool::SpoolItem item;
    AcceptedMessage head;
  };
  std::vector<Kept> kept() {
    spool::SpoolReader reader(folder, "eu",
                              [this](Id, std::uint32_t, std::string_view box, std::string_view context) -> Result<SecretText> {
                                ASSIGN_OR_RETURN(const sealed::Context parsed, sealed::Context::parse(context));
                                return sealed::open_box(pair.private_key.reveal(), parsed, box);
                              });
    std::vector<spool::Location> locations;
    EXPECT_TRUE(reader.scan({}, [&](const spool::SpoolEntry& entry) {
      locations.push_back(entry.location);
      return segments::Visit::go_on;
    }));
    std::vector<Kept> all;
    for (const auto& location : locations) {
      auto item = reader.read(location).value();
      auto head = parse_accepted(item.head).value();
      all.push_back({std::move(item), std::move(head)});
    }
    return all;
  }

  const Id checked_id = Id::from_bytes(std::string(16, 'c')), trusted_id = Id::from_bytes(std::string(16, 't'));
  InboundSettings settings;
  std::filesystem::path folder;
  crypto::X25519KeyPair pair = crypto::x25519_generate();
  std::atomic<bool> keys_away = false;
  DirectoryLease directory;
  NoDns resolver;
  Scan scan = [](const scanning::ScanRequest&, scanning::Answers&, const Deadline&) -> Result<scanning::ScanResult> {
    return scanning::ScanResult{};
  };
  std::unique_ptr<spool::SpoolWriter> spool;
  std::unique_ptr<Inbound> inbound;
  std::uint16_t port = 0;
};

TEST_F(InboundServer, what_got_250_is_on_the_disk_as_it_came) {
  start();
  Client client(port);
  EXPECT_EQ(client.open("bob@two.test"), "354 end with <CRLF>.<CRLF>");
  const std::string answer = client.say("Subject: x\r\n\r\n..dot\r\n.\r\n");
  EXPECT_EQ(answer.substr(0, 18), "250 2.0.0 kept as ");
  const auto all = kept();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].item.tenant, trusted_id);
  EXPECT_EQ("250 2.0.0 kept as " + all[0].item.message.text(), answer);
  EXPECT_EQ(all[0].head.message, all[0].item.message);
  EXPECT_EQ(all[0].head.client_ip, "127.0.0.1");
  EXPECT_EQ(all[0].head.helo, "c.test");
  EXPECT_EQ(all[0].head.mail_from, "a@b.test");
  EXPECT_EQ(all[0].head.rcpt_to, std::vector<std::string>{"bob@two.test"});
  EXPECT_EQ(all[0].head.size, 20u);
  EXPECT_FALSE(all[0].head.scanned);
  EXPECT_EQ(all[0].item.body.substr(0, 34), "Received: from c.test ([127.0.0.1]");
  EXPECT_TRUE(all[0].item.body.ends_with("\r\nSubject: x\r\n\r\n.dot\r\n"));
  EXPECT_EQ(client.say("QUIT\r\n").substr(0, 3), "221");
  EXPECT_EQ(client.hear(), "");
}

TEST_F(InboundServer, recipients_are_checked_and_one_transaction_is_one_tenants) {
  start();
  Client client(port);
  client.hear();
  client.say("EHLO c.test\r\n");
  client.say("MAIL FROM:<a@b.test>\r\n");
  EXPECT_EQ(client.say("RCPT TO:<x@elsewhere.test>\r\n").substr(0, 9), "550 5.7.1");
  EXPECT_EQ(client.say("RCPT TO:<nobody@one.test>\r\n").substr(0, 9), "550 5.1.1");
  EXPECT_EQ(client.say("RCPT TO:<ann@one.test>\r\n").substr(0, 3), "250");
  EXPECT_EQ(client.say("RCPT TO:<bob@two.test>\r\n").substr(0, 9), "452 4.5.3");
  EXPECT_EQ(client.say("RCPT TO:<bob@one.test>\r\n").substr(0, 3), "250");
  EXPECT_EQ(client.say("DATA\r\n").substr(0, 3), "354");
  EXPECT_EQ(client.say("x\r\n.\r\n").substr(0, 3), "250");
  ASSERT_EQ(kept().size(), 1u);
  EXPECT_EQ(kept()[0].head.rcpt_to.size(), 2u);
  EXPECT_EQ(kept()[0].item.body.find("for <"), std::string::npos) << "no recipient learns of the other";
}

TEST_F(InboundServer, without_a_directory_everything_waits) {
  start();
  DirectoryLease none;
  Acceptance::Parts parts;
  parts.spool = spool.get();
  parts.resolver = &resolver;
  const int listener = net::listen_tcp("127.0.0.1", 0).value();
  const std::uint16_t other_port = net::port_of(listener);
  const auto other = Inbound::start(settings, parts, none, nullptr, {listener}).value();
  Client client(other_port);
  client.hear();
  client.say("EHLO c.test\r\n");
  EXPECT_EQ(client.say("MAIL FROM:<a@b.test>\r\n").substr(0, 9), "451 4.3.0");
}

TEST_F(InboundServer, applies_what_the_scan_found) {
  scan = [this](const scanning::ScanRequest& request, scanning::Answers&, const Deadline&) -> Result<scanning::ScanResult> {
    EXPECT_EQ(request.tenant, checked_id);
    EXPECT_EQ(request.content, "Subject: x\r\n\r\nlink\r\n");
    EXPECT_EQ(request.tenant_domains, std::vector<std::string>{"one.test"});
    scanning::ScanResult result;
    result.authentication.field = "mx.test;\r\n\tspf=pass";
    result.authentication.spf = "pass";
    result.facts.subject = "x";
    result.facts.from = {"a@b.test"};
    result.splices = {{14, 4, "LINK!"}};
    result.layout = {{14, 7, false}};
    result.reasons = {{"links.rewritten", "1"}};
    return result;
  };
  start();
  Client client(port);
  client.open("ann@one.test");
  EXPECT_EQ(client.say("Subject: x\r\n\r\nlink\r\n.\r\n").substr(0, 3), "250");
  const auto all = kept();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_TRUE(all[0].item.body.ends_with("\r\nAuthentication-Results: mx.test;\r\n\tspf=pass\r\nSubject: x\r\n\r\nLINK!\r\n"));
  EXPECT_EQ(all[0].head.disposition, Disposition::deliver);
  EXPECT_EQ(all[0].head.subject, "x");
  ASSERT_EQ(all[0].head.layout.size(), 1u);
  EXPECT_EQ(all[0].item.body.substr(all[0].head.layout[0].offset, all[0].head.layout[0].length), "LINK!\r\n");
}

TEST_F(InboundServer, holds_and_rejects_as_policy_says_and_leaves_a_trace) {
  scan = [](const scanning::ScanRequest& request, scanning::Answers&, const Deadline&) -> Result<scanning::ScanResult> {
    scanning::ScanResult result;
    if (request.content.starts_with("virus")) result.findings.virus = "Eicar";
    if (request.content.starts_with("fault")) return Error{ErrorKind::unavailable, "no worker"};
    if (request.content.starts_with("clamd")) result.findings.virus_scan_missing = true;
    if (request.content.starts_with("inject")) result.authentication.field = "mx.test\r\nX-Evil: 1";
    if (request.content.starts_with("bare")) result.splices = {{0, 1, "\n"}};
    return result;
  };
  start();
  Client client(port);
  client.open("ann@one.test");
  EXPECT_EQ(client.say("virus\r\n.\r\n").substr(0, 3), "250");
  const auto next = [&client](std::string_view content) {
    client.tell("MAIL FROM:<>\r\nRCPT TO:<ann@one.test>\r\nDATA\r\n");
    for (int i = 0; i < 3; ++i) client.hear();
    return client.say(std::string(content) + "\r\n.\r\n").substr(0, 9);
  };
  EXPECT_EQ(next("fault"), "451 4.3.0");
  EXPECT_EQ(next("clamd"), "451 4.3.0");
  EXPECT_EQ(next("inject"), "451 4.3.0");
  EXPECT_EQ(next("bare"), "451 4.3.0");
  EXPECT_EQ(next(std::string(60'000, 'a')), "552 5.3.4");
  std::string loop;
  for (int i = 0; i < 51; ++i) loop += "Received: from a\r\n";
  EXPECT_EQ(next(loop), "554 5.4.6");
  const auto all = kept();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].head.disposition, Disposition::held);
  EXPECT_EQ(all[0].head.held_for, "virus");
  EXPECT_EQ(all[1].head.disposition, Disposition::rejected);
  EXPECT_EQ(all[1].head.held_for, "size");
  EXPECT_EQ(all[2].head.held_for, "loop");
  EXPECT_EQ(all[2].head.reply.substr(0, 9), "554 5.4.6");
  EXPECT_TRUE(all[2].item.body.empty());
  EXPECT_EQ(inbound->counts().held, 1u);
  EXPECT_EQ(inbound->counts().tempfailed, 4u);
  EXPECT_EQ(inbound->counts().reasons().at("loop"), 1u);
}

TEST_F(InboundServer, answers_451_when_the_spool_cannot_keep) {
  keys_away = true;
  start();
  Client client(port);
  client.open("ann@two.test");
  EXPECT_EQ(client.say("x\r\n.\r\n").substr(0, 9), "451 4.3.0");
  EXPECT_TRUE(kept().empty());
  keys_away = false;
  client.tell("MAIL FROM:<>\r\nRCPT TO:<ann@two.test>\r\nDATA\r\n");
  for (int i = 0; i < 3; ++i) client.hear();
  EXPECT_EQ(client.say("x\r\n.\r\n").substr(0, 3), "250");
}

TEST_F(InboundServer, serves_what_was_pipelined_behind_a_message) {
  start();
  Client client(port);
  client.open("ann@one.test");
  client.tell("one\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<ann@two.test>\r\nDATA\r\ntwo\r\n.\r\nQUIT\r\n");
  const char* expected[] = {"250 2.0.0", "250 2.1.0", "250 2.1.5", "354 end w", "250 2.0.0", "221 2.0.0"};
  for (const char* one : expected) EXPECT_EQ(client.hear().substr(0, 9), one);
  EXPECT_EQ(kept().size(), 2u);
}

TEST_F(InboundServer, speaks_tls_and_forgets_what_was_injected_before) {
  start(true);
  Client plain(port);
  plain.hear();
  EXPECT_NE(plain.say("EHLO c.test\r\n").find("STARTTLS"), std::string::npos);
  EXPECT_EQ(plain.say("STARTTLS\r\nMAIL FROM:<evil@b.test>\r\nNOOP\r\n").substr(0, 3), "220");
  const auto tls = net::TlsClient::create({"mx.test", "", {}}).value();
  Client client(tls->start(plain.take_stream(), soon()).value());
  EXPECT_EQ(client.say("RCPT TO:<ann@two.test>\r\n").substr(0, 3), "503");
  EXPECT_EQ(client.say("EHLO c.test\r\n").find("STARTTLS"), std::string::npos);
  client.tell("MAIL FROM:<a@b.test>\r\nRCPT TO:<ann@two.test>\r\nDATA\r\n");
  for (int i = 0; i < 3; ++i) client.hear();
  EXPECT_EQ(client.say(std::string(30'000, 'x') + "\r\n.\r\n").substr(0, 3), "250");
  const auto all = kept();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].head.mail_from, "a@b.test");
  EXPECT_EQ(all[0].head.tls.substr(0, 7), "TLSv1.3");
  EXPECT_NE(all[0].item.body.find("with ESMTPS id"), std::string::npos);
}

TEST_F(InboundServer, says_421_before_any_parsing_when_too_many_come) {
  settings.connections_max = 3;
  start();
  Client one(port), two(port), three(port);
  for (Client* client : {&one, &two, &three}) EXPECT_EQ(client->hear().substr(0, 3), "220");
  Client four(port);
  EXPECT_EQ(four.hear().substr(0, 3), "421");
  EXPECT_EQ(one.say("QUIT\r\n").substr(0, 3), "221");
  EXPECT_EQ(one.hear(), "");
  for (int i = 0; i < 100; ++i) {
    Client again(port);
    if (again.hear().substr(0, 3) == "220") return;
    std::this_thread::sleep_for(10ms);
  }
  FAIL() << "the place of a closed session was not given to the next";
}

TEST_F(InboundServer, counts_sessions_of_one_address) {
  settings.connections_per_address_max = 2;
  start();
  Client one(port), two(port);
  EXPECT_EQ(one.hear().substr(0, 3), "220");
  EXPECT_EQ(two.hear().substr(0, 3), "220");
  Client three(port);
  EXPECT_NE(three.hear().find("421"), std::string::npos);
  EXPECT_EQ(inbound->counts().connections_refused, 1u);
}

TEST_F(InboundServer, a_silent_or_trickling_client_is_timed_out) {
  settings.command_time = 1s;
  start();
  Client silent(port), trickling(port);
  silent.hear();
  trickling.hear();
  std::jthread trickle([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      trickling.tell("N");
      std::this_thread::sleep_for(200ms);
    }
  });
  EXPECT_EQ(silent.hear().substr(0, 9), "421 4.4.2");
  EXPECT_EQ(silent.hear(), "");
  trickle.request_stop();
  trickle.join();
  EXPECT_EQ(trickling.hear().substr(0, 9), "421 4.4.2");
}

TEST_F(InboundServer, can_be_paused) {
  start();
  Client open(port);
  open.hear();
  open.say("EHLO c.test\r\n");
  inbound->pause(true);
  EXPECT_EQ(open.say("MAIL FROM:<>\r\n").substr(0, 9), "451 4.3.2");
  Client refused(port);
  EXPECT_EQ(refused.hear().substr(0, 3), "421");
  inbound->pause(false);
  EXPECT_EQ(open.say("MAIL FROM:<>\r\n").substr(0, 3), "250");
}

TEST_F(InboundServer, ends_with_421_and_loses_no_verdict) {
  scan = [](const scanning::ScanRequest&, scanning::Answers&, const Deadline&) -> Result<scanning::ScanResult> {
    std::this_thread::sleep_for(300ms);
    return scanning::ScanResult{};
  };
  start();
  Client busy(port), idle(port);
  busy.open("ann@one.test");
  idle.hear();
  busy.tell("x\r\n.\r\n");
  std::this_thread::sleep_for(50ms);
  inbound.reset();
  EXPECT_EQ(busy.hear().substr(0, 3), "250");
  EXPECT_EQ(busy.hear().substr(0, 3), "421");
  EXPECT_EQ(idle.hear().substr(0, 9), "421 4.3.2");
  EXPECT_EQ(kept().size(), 1u);
}

TEST_F(InboundServer, many_clients_at_once_lose_nothing) {
  start();
  constexpr int clients = 40, messages = 25;
  std::mutex mutex;
  std::set<std::string> said;
  std::vector<std::jthread> threads;
  for (int c = 0; c < clients; ++c) {
    threads.emplace_back([&, c] {
      Client client(port);
      client.hear();
      client.say("EHLO c.test\r\n");
      for (int m = 0; m < messages; ++m) {
        client.tell(std::string("MAIL FROM:<a@b.test>\r\nRCPT TO:<") + (m % 2 == 0 ? "ann@one.test" : "x@two.test") +
                    ">\r\nDATA\r\n");
        for (int i = 0; i < 3; ++i) client.hear();
        const std::string answer = client.say("Subject: " + std::to_string(c) + "-" + std::to_string(m) + "\r\n\r\n" +
                                              std::string(8'000, 'x') + "\r\n.\r\n");
        const std::lock_guard lock(mutex);
        EXPECT_TRUE(said.insert(answer).second) << answer;
      }
    });
  }
  threads.clear();
  std::set<std::string> subjects;
  for (const Kept& one : kept()) {
    EXPECT_TRUE(said.contains("250 2.0.0 kept as " + one.item.message.text()));
    const std::size_t at = one.item.body.find("Subject: ");
    subjects.insert(one.item.body.substr(at, one.item.body.find("\r\n", at) - at));
  }
  EXPECT_EQ(said.size(), static_cast<std::size_t>(clients * messages));
  EXPECT_EQ(subjects.size(), static_cast<std::size_t>(clients * messages));
}

std::size_t resident_bytes() {
  std::ifstream status("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  status >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

TEST_F(InboundServer, two_thousand_idle_sessions_cost_little_and_slow_nobody) {
  constexpr std::size_t idle = 2'000;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (::geteuid() == 0) limit.rlim_max = std::max<rlim_t>(limit.rlim_max, 10'000);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 10'000);
  SKIP_UNLESS(::setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= 2 * idle + 100, "needs 4,100 descriptors");
  settings.connections_max = 3'000;
  start();
  const auto round_trips = [this] {
    Client client(port);
    client.hear();
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 2'000; ++i) client.say("NOOP\r\n");
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count() / 2'000;
  };
  (void)round_trips();
  const double alone = round_trips();
  std::vector<int> sockets;
  const std::size_t before = resident_bytes();
  for (std::size_t i = 0; i < idle; ++i) {
    sockets.push_back(connect_to(port));
    char buffer[256];
    ASSERT_GT(::recv(sockets.back(), buffer, sizeof buffer, 0), 0);
    ASSERT_GT(::send(sockets.back(), "EHLO idle.test\r\n", 16, MSG_NOSIGNAL), 0);
    ASSERT_GT(::recv(sockets.back(), buffer, sizeof buffer, 0), 0);
  }
  const std::size_t each = (resident_bytes() - before) / idle;
  const double crowded = round_trips();
  std::printf("idle sessions: %zu bytes each of %zu; a command takes %.1f us alone, %.1f us beside them\n", each, idle, alone,
              crowded);
  for (int i = 0; i < 200 && inbound->counts().connections_open != idle; ++i)
    std::this_thread::sleep_for(10ms);  // the last one closes
  EXPECT_EQ(inbound->counts().connections_open, idle);
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
  EXPECT_LT(each, 8'192u);
#endif
  EXPECT_LT(crowded, 3 * alone + 100);
  for (const int socket : sockets) ::close(socket);
}

}  // namespace
}  // namespace mailhold::gateway
