// ImapLogin: the client side of an IMAP session up to the point where it is signed in (RFC 3501 section 6.2).
//
//   until login.wants() == Wants::nothing: send each next_to_send(); then receive(what the server said), or do TLS and
//   tls_started(). Then capabilities() and take_rest() are for the one who goes on.
//
// The server is not trusted: PREAUTH, plain bytes behind STARTTLS, literals, endless lines are errors.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/line_reader.h"
#include "base/result.h"
#include "base/secret_text.h"

namespace mailhold::imap {

enum class LoginWay { xoauth2, scram_sha_256, plain, login };

// Supplied by the one who may ask for the secret; called only when TLS is on. An error ends the dialogue with that error.
struct LoginSecrets {
  // Which way, of the mechanisms offered by AUTH=; "LOGIN" is among them where the command is not disabled.
  std::function<Result<LoginWay>(const std::vector<std::string>& offered)> choose;
  // plain: NUL user NUL password; xoauth2: its message; login: as plain.
  std::function<Result<SecretText>(LoginWay way)> credential;
  // SCRAM, message by message: nothing -> client-first, server-first -> client-final, server-final -> empty.
  std::function<Result<std::string>(int step, std::string_view server)> scram;
};

struct LoginSettings {
  bool tls_is_on = false;  // else STARTTLS is required
  std::string use_id;      // for ID (RFC 2971), where the server takes it; printable
};

class ImapLogin {
 public:
  enum class Wants { reply, tls, nothing };
  ImapLogin(LoginSettings settings, LoginSecrets secrets) : settings_(std::move(settings)), secrets_(std::move(secrets)) {}

  // denied: no STARTTLS, no way to sign in, or refused. unavailable: BYE. invalid_input, limit_exceeded: breaks the protocol.
  Status receive(std::string_view bytes);
  std::optional<std::string> next_to_send();  // may hold the credential: wipe it after sending
  void tls_started();

  Wants wants() const { return wants_; }
  const std::vector<std::string>& capabilities() const { return capabilities_; }
  std::string take_rest() { return lines_.take_rest(); }

 private:
  enum class Step { greeting, capability, starttls, authenticate, login, capability_again, id, over };
  Status take(const std::string& line);
  Status take_untagged(std::string_view line);
  Status take_challenge(std::string_view base64);
  Status take_tagged(std::string_view outcome);
  Status after_capability();
  Status sign_in();
  Status say_login();
  void say(const std::string& command, Step step);
  void say_capability(Step step);
  bool offers(std::string_view capability) const;

  const LoginSettings settings_;
  const LoginSecrets secrets_;
  LineReader lines_{8192};
  Step step_ = Step::greeting;
  Wants wants_ = Wants::reply;
  bool tls_started_ = false;
  std::vector<std::string> capabilities_;
  std::deque<std::string> to_send_;
  LoginWay way_ = LoginWay::plain;
  int challenges_ = 0;
  int lines_seen_ = 0;
  int tag_ = 0;
};

}  // namespace mailhold::imap
