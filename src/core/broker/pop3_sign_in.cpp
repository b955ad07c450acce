// POP3: signing in, and the filter of a session.
#include "core/broker/sign_in.h"
#include "formats/pop3/pop3_command_filter.h"
#include "formats/pop3/pop3_login.h"

namespace mailhold::broker {
namespace {

class Pop3Filter final : public SessionFilter {
 public:
  explicit Pop3Filter(bool may_delete) : commands_(may_delete) {}

  Status from_worker(std::string_view bytes) override {
    RETURN_IF_ERROR(commands_.receive(bytes));
    say_next();
    return done();
  }

  Result<bool> from_server(std::string_view bytes, SessionMeter& meter) override {
    while (!bytes.empty()) {
      if (answer_.is_over()) return Error{ErrorKind::invalid_input, "server breaks POP3: an answer nobody asked for"};
      if (std::exchange(fetches_, false)) {
        // Only now: a fetch the server refuses is no item, but its first answer is the first we may stop.
        ASSIGN_OR_RETURN(const bool may_pass, bytes.starts_with("-") ? Result<bool>(true) : meter.take_item());
        if (!may_pass) return false;
      }
      ASSIGN_OR_RETURN(const std::size_t size, answer_.scan(bytes));
      ASSIGN_OR_RETURN(const std::uint64_t count, meter.take_bytes(size));
      for_worker_.append(bytes.substr(0, count));
      if (count < size) return false;
      bytes.remove_prefix(size);
      say_next();
    }
    return true;
  }

  std::string take_for_server() override { return std::exchange(for_server_, {}); }
  void take_for_worker(std::string& bytes) override {
    bytes.clear();
    bytes.swap(for_worker_);
  }
  std::uint64_t refused() const override { return commands_.refused(); }

 private:
  void say_next() {
    while (answer_.is_over() && commands_.has_next()) {
      pop3::Pop3CommandFilter::Command next = commands_.take_next();
      if (next.is_ours()) {
        for_worker_ += next.line;
        continue;
      }
      for_server_ += next.line;
      fetches_ = next.fetches;
      answer_.expect(next.many_lines);
    }
  }

  pop3::Pop3CommandFilter commands_;
  pop3::Pop3AnswerScanner answer_;
  bool fetches_ = false;  // the answer that comes next is a message
  std::string for_server_;
  std::string for_worker_ = "+OK signed in by mailhold\r\n";
};

pop3::LoginSecrets secrets_of(ConnectionSecret& secret, const Deadline& deadline) {
  pop3::LoginSecrets secrets;
  secrets.choose = [&secret](const std::vector<std::string>& offered) -> Result<pop3::LoginWay> {
    ASSIGN_OR_RETURN(const sasl::Mechanism mechanism, sasl::choose(offered, secret.is_token()));
    switch (mechanism) {
      case sasl::Mechanism::xoauth2: return pop3::LoginWay::xoauth2;
      case sasl::Mechanism::scram_sha_256: return pop3::LoginWay::scram_sha_256;
      case sasl::Mechanism::plain: return pop3::LoginWay::plain;
      case sasl::Mechanism::login: return pop3::LoginWay::user_and_pass;
    }
    return Error{ErrorKind::bug, "an unknown mechanism"};
  };
  secrets.credential = [&secret, &deadline](pop3::LoginWay way) {
    return secret.of(way == pop3::LoginWay::xoauth2 ? sasl::Mechanism::xoauth2 : sasl::Mechanism::plain, deadline);
  };
  secrets.scram = [&secret](int step, std::string_view server) { return secret.scram(step, server); };
  return secrets;
}

}  // namespace

Result<std::unique_ptr<SessionFilter>> sign_in_pop3(Wire& wire, const ConnectionJob& job, ConnectionSecret& secret,
                                                    const Deadline& deadline) {
  ASSIGN_OR_RETURN(const auto tls, tls_client_for(job));
  const bool from_start = job.connection.tls == access::ConnectionTls::implicit;
  if (from_start) {
    ASSIGN_OR_RETURN(wire.stream, tls->start(std::move(wire.stream), deadline));
  }
  pop3::Pop3Login login(from_start, secrets_of(secret, deadline));
  while (login.wants() != pop3::Pop3Login::Wants::nothing) {
    while (std::optional<std::string> bytes = login.next_to_send()) {
      Status sent = wire.stream->write_all(*bytes, deadline);
      wipe(*bytes);
      RETURN_IF_ERROR(std::move(sent));
    }
    if (login.wants() == pop3::Pop3Login::Wants::tls) {
      ASSIGN_OR_RETURN(wire.stream, tls->start(std::move(wire.stream), deadline));
      login.tls_started();
      continue;
    }
    ASSIGN_OR_RETURN(const std::string bytes, wire.stream->read_some(deadline));
    if (bytes.empty()) return Error{ErrorKind::unavailable, "server closed the connection"};
    RETURN_IF_ERROR(login.receive(bytes));
  }
  if (!login.take_rest().empty()) return Error{ErrorKind::invalid_input, "server speaks before it is asked"};
  return std::unique_ptr<SessionFilter>(std::make_unique<Pop3Filter>(job.purpose == "journal"));
}

}  // namespace mailhold::broker
