#include "core/broker/smtp_sign_in.h"

#include "base/random.h"
#include "base/text.h"
#include "formats/sasl/credential.h"

namespace mailhold::broker {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t nonce_bytes = 24;

SecretText as_sent(const SecretText& message) { return SecretText::take(to_base64(message.reveal())); }

}  // namespace

Result<SecretText> SmtpSignIn::ask(const std::string& template_name) {
  keys::UseRequest use;
  use.tenant = job_.route.tenant;
  use.connection = job_.route.id;
  use.policy = job_.policy;
  use.purpose = job_.purpose;
  use.template_name = template_name;
  use.receipt = job_.receipt;
  return keys_.use(use, Deadline::after(10s));
}

void SmtpSignIn::offer_to(smtp::ClientSettings& settings, const Deadline& deadline) {
  if (job_.route.sign_in != access::SignIn::password) {
    settings.xoauth2 = [this, deadline] { return xoauth2(deadline); };
    return;
  }
  settings.authenticate = [this]() -> Result<SecretText> {
    ASSIGN_OR_RETURN(const SecretText plain, ask("smtp_plain"));
    return as_sent(plain);
  };
  settings.scram = [this](int step, std::string_view server) { return scram(step, server); };
}

Result<SecretText> SmtpSignIn::xoauth2(const Deadline& deadline) {
  const access::Route& route = job_.route;
  if (route.sign_in == access::SignIn::assertion) {
    TokenEndpoint endpoint{route.token_host, route.token_port, route.ca_file, std::move(token_server_), job_.envelope_id};
    ASSIGN_OR_RETURN(const SecretText token,
                     ask_for_token(std::move(endpoint), [this] { return ask("client_assertion"); }, deadline));
    ASSIGN_OR_RETURN(const SecretText message, sasl::xoauth2(route.user, token.reveal()));
    return as_sent(message);
  }
  ASSIGN_OR_RETURN(const SecretText plain, ask("smtp_plain"));
  ASSIGN_OR_RETURN(const sasl::UserAndPassword parts, sasl::read_plain(plain.reveal()));
  ASSIGN_OR_RETURN(const SecretText message, sasl::xoauth2(parts.user, parts.password));
  return as_sent(message);
}

// A route does not say its user, so that the proof is made here; with a connection it is made in keyd.
Result<std::string> SmtpSignIn::scram(int step, std::string_view server) {
  if (step == 0) {
    ASSIGN_OR_RETURN(plain_, ask("smtp_plain"));
    ASSIGN_OR_RETURN(const sasl::UserAndPassword parts, sasl::read_plain(plain_.reveal()));
    dialogue_.emplace(parts.user, to_base64url(random_bytes(nonce_bytes)));
    return dialogue_->client_first();
  }
  if (!dialogue_) return Error{ErrorKind::invalid_input, "SCRAM out of turn"};
  if (step == 2) {
    RETURN_IF_ERROR(sasl::ScramDialogue::check(server, answer_));
    return std::string();
  }
  const SecretText plain = std::move(plain_);
  ASSIGN_OR_RETURN(const sasl::UserAndPassword parts, sasl::read_plain(plain.reveal()));
  ASSIGN_OR_RETURN(const sasl::ScramQuestion question, dialogue_->question(server));
  ASSIGN_OR_RETURN(answer_, sasl::answer_scram(parts.user, parts.password, question));
  return dialogue_->client_final(question, answer_);
}

}  // namespace mailhold::broker
