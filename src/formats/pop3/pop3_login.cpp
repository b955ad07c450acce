#include "formats/pop3/pop3_login.h"

#include <algorithm>

#include "base/text.h"

namespace mailhold::pop3 {
namespace {

constexpr int lines_max = 200;  // of a whole sign-in

Error broken(const std::string& what) { return {ErrorKind::invalid_input, "server breaks POP3: " + what}; }

std::string_view mechanism_of(LoginWay way) {
  return way == LoginWay::xoauth2 ? "XOAUTH2" : way == LoginWay::scram_sha_256 ? "SCRAM-SHA-256" : "PLAIN";
}

bool is_one_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char letter) { return letter > 0x20 && letter < 0x7f; });
}
bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char letter) { return letter >= 0x20 && letter < 0x7f; });
}

}  // namespace

std::optional<std::string> Pop3Login::next_to_send() {
  if (to_send_.empty()) return std::nullopt;
  std::string bytes = std::move(to_send_.front());
  to_send_.pop_front();
  return bytes;
}

void Pop3Login::say(std::string line, Step step) {
  line += "\r\n";
  to_send_.push_back(std::move(line));
  step_ = step;
}

void Pop3Login::tls_started() {
  tls_is_on_ = true;
  wants_ = Wants::reply;
  mechanisms_.clear();
  say("CAPA", Step::capa);
}

void Pop3Login::finish() {
  step_ = Step::over;
  wants_ = Wants::nothing;
}

Status Pop3Login::receive(std::string_view bytes) {
  if (wants_ != Wants::reply) return broken("it spoke where it may not");
  RETURN_IF_ERROR(lines_.receive(bytes));
  while (wants_ == Wants::reply) {
    const std::optional<std::string> line = lines_.next();
    if (!line) return done();
    if (++lines_seen_ > lines_max) return Error{ErrorKind::limit_exceeded, "server talks without end before it lets us in"};
    RETURN_IF_ERROR(take(*line));
  }
  return done();
}

Status Pop3Login::take(const std::string& line) {
  if (step_ == Step::capa_list) {
    if (line == ".") return after_capa();
    const auto words = split(line, ' ');
    if (equals_ignoring_case(words[0], "STLS")) offers_stls_ = true;
    if (equals_ignoring_case(words[0], "SASL")) mechanisms_.assign(words.begin() + 1, words.end());
    return done();
  }
  if (step_ == Step::auth && (line == "+" || line.starts_with("+ ")))
    return take_challenge(trim(std::string_view(line).substr(1)));
  const bool ok = line == "+OK" || line.starts_with("+OK ");
  if (!ok && line != "-ERR" && !line.starts_with("-ERR ")) return broken("an answer that is neither +OK nor -ERR");
  switch (step_) {
    case Step::greeting:
      if (!ok) return Error{ErrorKind::unavailable, "server refused the session"};
      say("CAPA", Step::capa);
      return done();
    case Step::capa:
      if (ok) {
        step_ = Step::capa_list;
        return done();
      }
      return after_capa();  // an old server without CAPA
    case Step::stls:
      if (!ok) return Error{ErrorKind::denied, "server refuses STLS and TLS is required"};
      if (lines_.has_rest()) return broken("plain bytes behind its STLS answer");
      wants_ = Wants::tls;
      return done();
    case Step::user: {
      if (!ok) return Error{ErrorKind::denied, "server refused the credential"};
      to_send_.push_back(std::move(pass_line_));
      step_ = Step::pass;
      return done();
    }
    case Step::auth:
      if (ok && way_ == LoginWay::scram_sha_256 && challenges_ != 3)
        return Error{ErrorKind::denied, "the server did not prove that it knows the password"};
      [[fallthrough]];
    case Step::pass:
      if (!ok) return Error{ErrorKind::denied, "server refused the credential"};
      finish();
      return done();
    case Step::capa_list:
    case Step::over: break;
  }
  return broken("an answer nobody asked for");
}

Status Pop3Login::take_challenge(std::string_view base64) {
  if (++challenges_ > 3) return broken("a challenge nobody asked for");
  if (way_ == LoginWay::scram_sha_256) {
    const auto message = from_base64(base64);
    if (!message) return broken("a challenge that is no base64");
    ASSIGN_OR_RETURN(const std::string answer, secrets_.scram(challenges_ - 1, *message));
    say(to_base64(answer), Step::auth);
    return done();
  }
  if (challenges_ == 2 && way_ == LoginWay::xoauth2) {
    say({}, Step::auth);  // it tells its error in a challenge and wants an empty line before it says -ERR
    return done();
  }
  if (challenges_ > 1) return broken("a challenge nobody asked for");
  ASSIGN_OR_RETURN(const SecretText credential, secrets_.credential(way_));
  const SecretText encoded = SecretText::take(to_base64(credential.reveal()));
  std::string line;
  line.reserve(encoded.size() + 4);  // one allocation, so that the caller can wipe the only copy
  line.append(encoded.reveal());
  say(std::move(line), Step::auth);
  return done();
}

Status Pop3Login::after_capa() {
  if (!tls_is_on_) {
    if (!offers_stls_) return Error{ErrorKind::denied, "server offers no STLS and TLS is required"};
    say("STLS", Step::stls);
    return done();
  }
  std::vector<std::string> offered = mechanisms_;
  offered.emplace_back("LOGIN");  // USER and PASS are always there
  ASSIGN_OR_RETURN(way_, secrets_.choose(offered));
  if (way_ != LoginWay::user_and_pass) {
    say("AUTH " + std::string(mechanism_of(way_)), Step::auth);
    return done();
  }
  ASSIGN_OR_RETURN(const SecretText credential, secrets_.credential(way_));
  const std::string_view message = credential.reveal();
  const std::size_t separator = message.find('\0', 1);
  if (separator == std::string_view::npos || !is_one_word(message.substr(1, separator - 1)) ||
      !is_printable(message.substr(separator + 1)))
    return Error{ErrorKind::unsupported, "the server takes USER and PASS only, which cannot carry this user or password"};
  pass_line_.reserve(message.size() + 16);  // one allocation, so that the caller can wipe the only copy
  pass_line_.append("PASS ").append(message.substr(separator + 1)).append("\r\n");
  say("USER " + std::string(message.substr(1, separator - 1)), Step::user);
  return done();
}

}  // namespace mailhold::pop3
