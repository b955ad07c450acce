// LDAP: StartTLS, the simple bind, and the filter of a session.
#include "core/broker/sign_in.h"
#include "formats/ldap/ber.h"
#include "formats/ldap/ldap_request_filter.h"

namespace mailhold::broker {
namespace {

constexpr std::size_t request_bytes_max = 256 * 1024;
constexpr std::size_t answer_bytes_max = 32U << 20;
constexpr std::size_t sign_in_bytes_max = 64 * 1024;

// Cuts whole messages off the front of what arrived; empty when none is whole.
Result<std::string> take_message(std::string& arrived, std::size_t bytes_max) {
  ASSIGN_OR_RETURN(const std::optional<std::size_t> size, ldap::element_size(arrived));
  if (size && *size > bytes_max) return Error{ErrorKind::limit_exceeded, "an LDAP message that is too long"};
  if (!size || arrived.size() < *size) return std::string();
  std::string message = arrived.substr(0, *size);
  arrived.erase(0, *size);
  return message;
}

class LdapFilter final : public SessionFilter {
 public:
  explicit LdapFilter(std::vector<std::string> bases) : bases_(std::move(bases)) {}

  Status from_worker(std::string_view bytes) override {
    worker_.append(bytes);
    for (;;) {
      ASSIGN_OR_RETURN(const std::string bytes_of_one, take_message(worker_, request_bytes_max));
      if (bytes_of_one.empty()) return done();
      ASSIGN_OR_RETURN(const ldap::Message message, ldap::parse_message(bytes_of_one));
      const Status allowed = ldap::check_request(message, bases_);
      if (allowed) {
        for_server_ += bytes_of_one;
        continue;
      }
      ++refused_;
      if (message.operation != static_cast<std::uint8_t>(ldap::Operation::search)) return allowed;
      for_worker_ += ldap::search_refused(message.id, allowed.error().detail);
    }
  }

  Result<bool> from_server(std::string_view bytes, SessionMeter& meter) override {
    server_.append(bytes);
    for (;;) {
      ASSIGN_OR_RETURN(const std::string message, take_message(server_, answer_bytes_max));
      if (message.empty()) return true;
      ASSIGN_OR_RETURN(const ldap::Message parsed, ldap::parse_message(message));
      if (parsed.operation == static_cast<std::uint8_t>(ldap::Operation::search_entry)) {
        ASSIGN_OR_RETURN(const bool may_pass, meter.take_item());
        if (!may_pass) return false;
      }
      ASSIGN_OR_RETURN(const std::uint64_t count, meter.take_bytes(message.size()));
      if (count < message.size()) return false;  // never a part of a message
      for_worker_ += message;
    }
  }

  std::string take_for_server() override { return std::exchange(for_server_, {}); }
  void take_for_worker(std::string& bytes) override {
    bytes.clear();
    bytes.swap(for_worker_);
  }
  std::uint64_t refused() const override { return refused_; }

 private:
  const std::vector<std::string> bases_;
  std::string worker_, server_, for_server_, for_worker_;
  std::uint64_t refused_ = 0;
};

// The one answer to a request of ours; what comes with it was not asked for.
Status expect_success(net::Stream& stream, std::int64_t id, ldap::Operation operation, const char* refusal,
                      const Deadline& deadline) {
  std::string arrived;
  for (;;) {
    ASSIGN_OR_RETURN(const std::string bytes, stream.read_some(deadline));
    if (bytes.empty()) return Error{ErrorKind::unavailable, "server closed the connection"};
    arrived += bytes;
    ASSIGN_OR_RETURN(const std::string message, take_message(arrived, sign_in_bytes_max));
    if (message.empty()) continue;
    ASSIGN_OR_RETURN(const ldap::Message parsed, ldap::parse_message(message));
    if (parsed.id != id || parsed.operation != static_cast<std::uint8_t>(operation) || !arrived.empty())
      return Error{ErrorKind::invalid_input, "server breaks LDAP: an answer nobody asked for"};
    ASSIGN_OR_RETURN(const std::int64_t code, ldap::result_code(parsed));
    const std::string_view reason = ldap::reason_of_refusal(parsed);
    if (code != 0)
      return Error{ErrorKind::denied,
                   std::string(refusal) + ": " + std::to_string(code) + (reason.empty() ? "" : ", ") + std::string(reason)};
    return done();
  }
}

}  // namespace

Result<std::unique_ptr<SessionFilter>> sign_in_ldap(Wire& wire, const ConnectionJob& job, ConnectionSecret& secret,
                                                    const Deadline& deadline) {
  ASSIGN_OR_RETURN(const auto tls, tls_client_for(job));
  if (job.connection.tls == access::ConnectionTls::starttls) {
    RETURN_IF_ERROR(wire.stream->write_all(ldap::start_tls_request(1), deadline));
    RETURN_IF_ERROR(expect_success(*wire.stream, 1, ldap::Operation::extended_response,
                                   "server refuses StartTLS and TLS is required", deadline));
  }
  ASSIGN_OR_RETURN(wire.stream, tls->start(std::move(wire.stream), deadline));
  {
    ASSIGN_OR_RETURN(const SecretText plain, secret.plain());
    ASSIGN_OR_RETURN(const sasl::UserAndPassword parts, sasl::read_plain(plain.reveal()));
    const SecretText bind = ldap::simple_bind_request(2, parts.user, parts.password);
    RETURN_IF_ERROR(wire.stream->write_all(bind.reveal(), deadline));
  }
  RETURN_IF_ERROR(expect_success(*wire.stream, 2, ldap::Operation::bind_response, "server refused the credential", deadline));
  return std::unique_ptr<SessionFilter>(std::make_unique<LdapFilter>(job.connection.mailboxes));
}

}  // namespace mailhold::broker
