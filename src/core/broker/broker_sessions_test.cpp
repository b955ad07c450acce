// When sessions on connections end: with the secret that they may have been given, and with no other one.
#include <thread>

#include "core/broker/open_session.h"
#include "fakes/broker_fixture.h"
#include "platform/crypto/hash.h"
#include "platform/net/listener.h"

namespace mailhold::broker {
namespace {

using namespace std::chrono_literals;
using ledger::soon;

// The authd processes that the supervisor would start: each says at once that it has signed in, and is there until it is ended.
class Authds {
 public:
  ~Authds() { end_all(); }

  ProcessControl control() {
    ProcessControl control;
    control.new_authd = [this] { return start(); };
    control.end_authd = [this](std::uint32_t process) {
      end(process);
      return done();
    };
    return control;
  }
  std::size_t running() {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(all_.begin(), all_.end(), [](const auto& each) { return each->runs; }));
  }
  void end_all() {
    for (std::uint32_t process = 0; process < all_.size(); ++process) end(process);
  }

  std::function<void()> while_one_signs_in;

 private:
  struct Authd {
    std::shared_ptr<ipc::Channel> channel;
    bool runs = true;
    std::vector<std::shared_ptr<ipc::Call>> calls;  // unanswered, with their descriptors
    std::jthread thread;
  };

  Result<NewAuthd> start() {
    auto pair = *ipc::Channel::socket_pair();
    const std::lock_guard lock(mutex_);
    auto& made = *all_.emplace_back(std::make_unique<Authd>());
    made.channel = std::make_shared<ipc::Channel>(std::move(pair.first));
    made.thread = std::jthread([this, &made, channel = made.channel](const std::stop_token& stop) {
      ipc::serve_channel(channel, "brokerd", [&](std::shared_ptr<ipc::Call> call) { take(made, std::move(call)); }, stop);
    });
    return NewAuthd{std::move(pair.second), static_cast<std::uint32_t>(all_.size() - 1)};
  }
  void take(Authd& authd, std::shared_ptr<ipc::Call> call) {
    if (call->method() == static_cast<std::uint16_t>(AuthdMethod::connection_session)) {
      if (while_one_signs_in) while_one_signs_in();
      call->reply();
    }
    const std::lock_guard lock(mutex_);
    if (authd.runs) authd.calls.push_back(std::move(call));
  }
  void end(std::uint32_t process) {
    const std::lock_guard lock(mutex_);
    all_[process]->runs = false;
    all_[process]->calls.clear();
    all_[process]->channel->close();
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<Authd>> all_;  // guarded by mutex_, but for the threads
};

struct WithAuthds {
  Authds authds_;
};

class BrokerSessions : public WithAuthds, public BrokerFixture {
 protected:
  BrokerSessions() : BrokerFixture(authds_.control(), *net::Networks::parse("127.0.0.0/8")) {}
  ~BrokerSessions() override { authds_.end_all(); }  // before the broker, which waits for the ends of sessions

  Id add_http_connection(Id tenant) {
    access::Connection connection;
    connection.id = Id::random();
    connection.tenant = tenant;
    connection.kind = access::ConnectionKind::http;
    connection.host = "127.0.0.1";
    connection.port = port_;
    connection.name = "dav.example.test";
    connection.ca = "system";
    connection.user = "ann";
    connection.purposes = {"backup.read"};
    connection.mailboxes = {"*"};
    connection.verbs = {"GET /**"};
    const Status set = connections_->set(connection, soon());
    EXPECT_TRUE(set) << set.error().detail;
    return connection.id;
  }
  void open(Id connection) {
    const auto session = broker_.open_connection(
        {connection, access::ConnectionKind::http, "backup.read", Id::random(), {}, {}, {}}, "workerd", soon());
    ASSERT_TRUE(session) << session.error().detail;
  }
  auto remove_secret(Id tenant, Id connection) {
    return apply("secret.remove", tenant, {{"connection", connection.text()}}, root_);
  }
  auto set_secret(Id tenant, Id connection) {
    const std::string box = "a sealed secret";
    return apply("secret.set", tenant, {{"connection", connection.text()}, {"box_sha256", to_hex(crypto::sha256(box))}}, root_,
                 box);
  }

  const ipc::OwnedFd listener_{*net::listen_tcp("127.0.0.1", 0)};
  const std::uint16_t port_ = net::port_of(listener_.get());
};

TEST_F(BrokerSessions, a_secret_that_is_destroyed_ends_the_sessions_of_its_own_connection_alone) {
  const Id own = add_http_connection(tenant_), other = add_http_connection(Id::random());
  open(own);
  open(other);
  EXPECT_EQ(authds_.running(), 2U);
  keyd_answers_ = std::string();
  ASSERT_TRUE(remove_secret(tenant_, own));
  EXPECT_EQ(authds_.running(), 1U);
}

TEST_F(BrokerSessions, a_session_that_is_being_opened_ends_with_its_own_secret_and_with_no_other) {
  const Id own = add_http_connection(tenant_), other = add_http_connection(Id::random());
  keyd_answers_ = std::string();
  authds_.while_one_signs_in = [&] { ASSERT_TRUE(remove_secret(tenant_, own)); };
  open(other);
  EXPECT_EQ(authds_.running(), 1U) << "another tenant's secret was destroyed";
  open(own);
  EXPECT_EQ(authds_.running(), 1U);
  authds_.while_one_signs_in = {};
  open(own);
  EXPECT_EQ(authds_.running(), 2U) << "what was destroyed before it began is not its own";
}

TEST_F(BrokerSessions, sessions_end_with_their_secret_also_where_the_answer_of_keyd_is_lost) {
  const Id stranger = Id::random(), own = add_http_connection(tenant_);
  keyd_answers_ = Error{ErrorKind::unavailable, "it went away before it replied"};
  open(own);
  EXPECT_EQ(remove_secret(stranger, own).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(set_secret(stranger, own).error().kind, ErrorKind::not_found);
  EXPECT_EQ(authds_.running(), 1U) << "nobody ends another tenant's sessions so";
  EXPECT_EQ(remove_secret(tenant_, own).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(authds_.running(), 0U);
  open(own);
  EXPECT_EQ(set_secret(tenant_, own).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(authds_.running(), 0U);
}

}  // namespace
}  // namespace mailhold::broker
