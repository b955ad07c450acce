#include "core/broker/sign_in.h"

#include "base/random.h"
#include "base/text.h"
#include "core/broker/token_request.h"

namespace mailhold::broker {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t nonce_bytes = 24;

}  // namespace

Result<SecretText> ConnectionSecret::ask(const std::string& template_name, std::string fields) {
  keys::UseRequest use;
  use.tenant = job_.connection.tenant;
  use.connection = job_.connection.id;
  use.policy = access::secret_policy_of(job_.connection);
  use.purpose = job_.purpose;
  use.template_name = template_name;
  use.receipt = job_.receipt;
  use.fields = std::move(fields);
  return keys_.use(use, Deadline::after(10s));
}

Result<SecretText> ConnectionSecret::plain() { return ask("smtp_plain", {}); }

Result<SecretText> ConnectionSecret::token(const Deadline& deadline) {
  const access::Connection& connection = job_.connection;
  if (connection.sign_in == access::SignIn::assertion) {
    TokenEndpoint endpoint{connection.token_host, connection.token_port, connection.ca, std::move(token_server_), job_.use_id};
    return ask_for_token(std::move(endpoint), [this] { return ask("client_assertion", {}); }, deadline);
  }
  ASSIGN_OR_RETURN(const SecretText message, plain());
  ASSIGN_OR_RETURN(const sasl::UserAndPassword parts, sasl::read_plain(message.reveal()));
  return SecretText::copy_of(parts.password);
}

Result<SecretText> ConnectionSecret::of(sasl::Mechanism mechanism, const Deadline& deadline) {
  if (mechanism != sasl::Mechanism::xoauth2) return plain();
  ASSIGN_OR_RETURN(const SecretText given, token(deadline));
  return sasl::xoauth2(job_.connection.user, given.reveal());
}

Result<std::string> ConnectionSecret::scram(int step, std::string_view server) {
  if (step == 0) {
    dialogue_.emplace(job_.connection.user, to_base64url(random_bytes(nonce_bytes)));
    return dialogue_->client_first();
  }
  if (!dialogue_ || (step == 2) != answer_.has_value()) return Error{ErrorKind::invalid_input, "SCRAM out of turn"};
  if (step == 1) {
    ASSIGN_OR_RETURN(const sasl::ScramQuestion question, dialogue_->question(server));
    ASSIGN_OR_RETURN(const SecretText answer, ask("scram_sha_256", encode(question)));
    ASSIGN_OR_RETURN(answer_, sasl::parse_scram_answer(answer.reveal()));
    return dialogue_->client_final(question, *answer_);
  }
  RETURN_IF_ERROR(sasl::ScramDialogue::check(server, *answer_));
  return std::string();
}

Result<std::shared_ptr<net::TlsClient>> tls_client_for(const ConnectionJob& job) {
  const access::Connection& connection = job.connection;
  net::TlsPeer peer;
  peer.name = connection.name.empty() ? connection.host : connection.name;
  peer.ca_file = connection.ca;
  peer.pins = connection.pins;
  if (peer.ca_file.empty() && peer.pins.empty())
    return Error{ErrorKind::denied, "no credential goes to a server that is not verified"};
  return net::TlsClient::create(peer);
}

}  // namespace mailhold::broker
