// Pop3Login: the client side of a POP3 session up to the transaction state, as imap::ImapLogin is for IMAP.
// The server is not trusted: plain bytes behind STLS, endless lines, answers nobody asked for are errors.
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

namespace mailhold::pop3 {

enum class LoginWay { xoauth2, scram_sha_256, plain, user_and_pass };

// Called only when TLS is on. An error ends the dialogue with that error.
struct LoginSecrets {
  std::function<Result<LoginWay>(const std::vector<std::string>& mechanisms)> choose;
  std::function<Result<SecretText>(LoginWay way)> credential;                   // as imap::LoginSecrets
  std::function<Result<std::string>(int step, std::string_view server)> scram;  // as imap::LoginSecrets
};

class Pop3Login {
 public:
  enum class Wants { reply, tls, nothing };
  Pop3Login(bool tls_is_on, LoginSecrets secrets) : tls_is_on_(tls_is_on), secrets_(std::move(secrets)) {}

  // denied: no STLS, no way to sign in, or refused. unavailable: refused the session. invalid_input, limit_exceeded: breaks it.
  Status receive(std::string_view bytes);
  std::optional<std::string> next_to_send();  // may hold the credential: wipe it after sending
  void tls_started();
  Wants wants() const { return wants_; }
  std::string take_rest() { return lines_.take_rest(); }

 private:
  enum class Step { greeting, capa, capa_list, stls, auth, user, pass, over };
  Status take(const std::string& line);
  Status take_challenge(std::string_view base64);
  Status after_capa();
  void say(std::string line, Step step);
  void finish();

  bool tls_is_on_;
  const LoginSecrets secrets_;
  LineReader lines_{2048};
  Step step_ = Step::greeting;
  Wants wants_ = Wants::reply;
  bool offers_stls_ = false;
  std::vector<std::string> mechanisms_;
  std::deque<std::string> to_send_;
  std::string pass_line_;
  LoginWay way_ = LoginWay::plain;
  int challenges_ = 0;
  int lines_seen_ = 0;
};

}  // namespace mailhold::pop3
