// IMAP: signing in, and the filter of a session.
#include "core/broker/sign_in.h"
#include "formats/imap/imap_command_filter.h"
#include "formats/imap/imap_login.h"
#include "formats/imap/imap_response_scanner.h"

namespace mailhold::broker {
namespace {

class ImapFilter final : public SessionFilter {
 public:
  ImapFilter(imap::CommandRules rules, std::string greeting) : commands_(std::move(rules)), for_worker_(std::move(greeting)) {}

  Status from_worker(std::string_view bytes) override { return commands_.receive(bytes); }
  bool wants_worker() const override { return commands_.wants_input(); }

  Result<bool> from_server(std::string_view bytes, SessionMeter& meter) override {
    RETURN_IF_ERROR(responses_.receive(bytes));
    while (std::optional<imap::ResponsePiece> piece = responses_.next()) {
      if (piece->kind == imap::ResponsePiece::Kind::continuation) commands_.server_continues();
      if (piece->kind == imap::ResponsePiece::Kind::text) commands_.server_said(piece->bytes);
      if (piece->kind == imap::ResponsePiece::Kind::tagged) commands_.server_answered(piece->tag);
      if (piece->kind == imap::ResponsePiece::Kind::item) {
        ASSIGN_OR_RETURN(const bool may_pass, meter.take_item());
        if (!may_pass) return false;
      }
      ASSIGN_OR_RETURN(const std::uint64_t count, meter.take_bytes(piece->bytes.size()));
      for_worker_.append(piece->bytes.substr(0, count));
      if (count < piece->bytes.size()) return false;
    }
    return true;
  }

  std::string take_for_server() override { return commands_.take_for_server(); }
  void take_for_worker(std::string& bytes) override {
    bytes.clear();
    bytes.swap(for_worker_);
    bytes += commands_.take_for_worker();
  }
  std::uint64_t refused() const override { return commands_.refused(); }

 private:
  imap::ImapCommandFilter commands_;
  imap::ImapResponseScanner responses_;
  std::string for_worker_;
};

sasl::Mechanism mechanism_of(imap::LoginWay way) {
  return way == imap::LoginWay::xoauth2 ? sasl::Mechanism::xoauth2 : sasl::Mechanism::plain;
}

imap::LoginSecrets secrets_of(ConnectionSecret& secret, const Deadline& deadline) {
  imap::LoginSecrets secrets;
  secrets.choose = [&secret](const std::vector<std::string>& offered) -> Result<imap::LoginWay> {
    ASSIGN_OR_RETURN(const sasl::Mechanism mechanism, sasl::choose(offered, secret.is_token()));
    switch (mechanism) {
      case sasl::Mechanism::xoauth2: return imap::LoginWay::xoauth2;
      case sasl::Mechanism::scram_sha_256: return imap::LoginWay::scram_sha_256;
      case sasl::Mechanism::plain: return imap::LoginWay::plain;
      case sasl::Mechanism::login: return imap::LoginWay::login;
    }
    return Error{ErrorKind::bug, "an unknown mechanism"};
  };
  secrets.credential = [&secret, &deadline](imap::LoginWay way) { return secret.of(mechanism_of(way), deadline); };
  secrets.scram = [&secret](int step, std::string_view server) { return secret.scram(step, server); };
  return secrets;
}

// The worker finds a session that is open already (RFC 3501 section 7.1.4), of a server that knows no other way in.
std::string preauth_greeting(const std::vector<std::string>& shown) {
  std::string greeting = "* PREAUTH [CAPABILITY";
  for (const std::string& capability : shown) greeting += " " + capability;
  return greeting + "] signed in by mailhold\r\n";
}

bool has(const std::vector<std::string>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

}  // namespace

Result<std::unique_ptr<SessionFilter>> sign_in_imap(Wire& wire, const ConnectionJob& job, ConnectionSecret& secret,
                                                    const Deadline& deadline) {
  ASSIGN_OR_RETURN(const imap::Purpose purpose, imap::purpose_of(job.purpose));
  ASSIGN_OR_RETURN(const auto tls, tls_client_for(job));
  const bool from_start = job.connection.tls == access::ConnectionTls::implicit;
  if (from_start) {
    ASSIGN_OR_RETURN(wire.stream, tls->start(std::move(wire.stream), deadline));
  }
  imap::ImapLogin login({from_start, job.use_id}, secrets_of(secret, deadline));
  while (login.wants() != imap::ImapLogin::Wants::nothing) {
    while (std::optional<std::string> bytes = login.next_to_send()) {
      Status sent = wire.stream->write_all(*bytes, deadline);
      wipe(*bytes);
      RETURN_IF_ERROR(std::move(sent));
    }
    if (login.wants() == imap::ImapLogin::Wants::tls) {
      ASSIGN_OR_RETURN(wire.stream, tls->start(std::move(wire.stream), deadline));
      login.tls_started();
      continue;
    }
    ASSIGN_OR_RETURN(const std::string bytes, wire.stream->read_some(deadline));
    if (bytes.empty()) return Error{ErrorKind::unavailable, "server closed the connection"};
    RETURN_IF_ERROR(login.receive(bytes));
  }
  if (!login.take_rest().empty()) return Error{ErrorKind::invalid_input, "server speaks before it is asked"};
  const auto shown = imap::shown_capabilities(purpose, login.capabilities());
  imap::CommandRules rules{purpose, job.connection.mailboxes, has(shown, "LITERAL+"), has(shown, "MULTIAPPEND")};
  return std::unique_ptr<SessionFilter>(std::make_unique<ImapFilter>(std::move(rules), preauth_greeting(shown)));
}

}  // namespace mailhold::broker
