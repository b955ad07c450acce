#include "formats/imap/imap_login.h"

#include <algorithm>

#include "base/text.h"
#include "formats/imap/imap_response.h"

namespace mailhold::imap {
namespace {

constexpr int lines_max = 500;  // of a whole sign-in

Error broken(const std::string& what) { return {ErrorKind::invalid_input, "server breaks IMAP: " + what}; }

// Of a sign-in: a server that has too much to do says nothing of the credential.
Error refusal_of(std::string_view outcome) {
  constexpr std::string_view begin = "NO [";
  if (starts_with_ignoring_case(outcome, begin)) {
    const std::string_view code = outcome.substr(begin.size(), outcome.find_first_of(" ]", begin.size()) - begin.size());
    if (means_later(code)) return {ErrorKind::unavailable, "the server takes no sign-in now and says " + std::string(code)};
  }
  return {ErrorKind::denied, "server refused the credential"};
}

std::string_view mechanism_of(LoginWay way) {
  return way == LoginWay::xoauth2 ? "XOAUTH2" : way == LoginWay::scram_sha_256 ? "SCRAM-SHA-256" : "PLAIN";
}

bool may_be_quoted(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char letter) { return letter >= 0x20 && letter < 0x7f; });
}

void append_quoted(std::string& line, std::string_view text) {
  line += '"';
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') line += '\\';
    line += letter;
  }
  line += '"';
}

}  // namespace

bool ImapLogin::offers(std::string_view capability) const {
  return std::any_of(capabilities_.begin(), capabilities_.end(),
                     [&](const std::string& each) { return equals_ignoring_case(each, capability); });
}

std::optional<std::string> ImapLogin::next_to_send() {
  if (to_send_.empty()) return std::nullopt;
  std::string bytes = std::move(to_send_.front());
  to_send_.pop_front();
  return bytes;
}

void ImapLogin::say(const std::string& command, Step step) {
  to_send_.push_back("m" + std::to_string(++tag_) + " " + command + "\r\n");
  step_ = step;
}

void ImapLogin::say_capability(Step step) {
  capabilities_.clear();
  say("CAPABILITY", step);
}

void ImapLogin::tls_started() {
  tls_started_ = true;
  wants_ = Wants::reply;
  say_capability(Step::capability);
}

Status ImapLogin::receive(std::string_view bytes) {
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

Status ImapLogin::take(const std::string& line) {
  if (line.ends_with('}')) return broken("a literal before the session is signed in");
  if (line.starts_with("* ")) return take_untagged(std::string_view(line).substr(2));
  if (line == "+" || line.starts_with("+ ")) return take_challenge(trim(std::string_view(line).substr(1)));
  const std::string tag = "m" + std::to_string(tag_) + " ";
  if (step_ == Step::greeting || !line.starts_with(tag)) return broken("an answer nobody asked for");
  return take_tagged(std::string_view(line).substr(tag.size()));
}

Status ImapLogin::take_untagged(std::string_view line) {
  const auto words = split(line, ' ');
  if (equals_ignoring_case(words[0], "BYE")) return Error{ErrorKind::unavailable, "server refused the session with BYE"};
  if (step_ == Step::greeting) {
    // A session that is open already was not opened by this tenant's secret.
    if (equals_ignoring_case(words[0], "PREAUTH"))
      return Error{ErrorKind::denied, "server says the session is signed in already"};
    if (!equals_ignoring_case(words[0], "OK")) return broken("no greeting");
    say_capability(Step::capability);
    return done();
  }
  if (equals_ignoring_case(words[0], "CAPABILITY") && capabilities_.empty()) capabilities_.assign(words.begin() + 1, words.end());
  return done();
}

Status ImapLogin::take_challenge(std::string_view base64) {
  if (step_ != Step::authenticate || ++challenges_ > 4) return broken("a continuation nobody asked for");
  if (way_ == LoginWay::scram_sha_256) {
    const auto message = from_base64(base64);
    if (!message) return broken("a challenge that is no base64");
    ASSIGN_OR_RETURN(const std::string answer, secrets_.scram(challenges_ - 1, *message));
    to_send_.push_back(to_base64(answer) + "\r\n");
    return done();
  }
  if (challenges_ > 1) {
    // XOAUTH2 tells its error in a challenge and wants an empty line before it says NO.
    to_send_.emplace_back("\r\n");
    return done();
  }
  ASSIGN_OR_RETURN(const SecretText credential, secrets_.credential(way_));
  const SecretText encoded = SecretText::take(to_base64(credential.reveal()));
  std::string line;
  line.reserve(encoded.size() + 2);  // one allocation, so that the caller can wipe the only copy
  line.append(encoded.reveal()).append("\r\n");
  to_send_.push_back(std::move(line));
  return done();
}

Status ImapLogin::take_tagged(std::string_view outcome) {
  const std::string_view word = outcome.substr(0, outcome.find(' '));
  const bool ok = equals_ignoring_case(word, "OK");
  if (!ok && !equals_ignoring_case(word, "NO") && !equals_ignoring_case(word, "BAD"))
    return broken("an answer that is none of OK, NO, BAD");
  switch (step_) {
    case Step::capability: return ok ? after_capability() : broken("no capabilities");
    case Step::starttls:
      if (!ok) return Error{ErrorKind::denied, "server refuses STARTTLS and TLS is required"};
      if (lines_.has_rest()) return broken("plain bytes behind its STARTTLS answer");
      wants_ = Wants::tls;
      return done();
    case Step::authenticate:
    case Step::login:
      if (!ok) return refusal_of(outcome);
      if (step_ == Step::authenticate && way_ == LoginWay::scram_sha_256 && challenges_ != 3)
        return Error{ErrorKind::denied, "the server did not prove that it knows the password"};
      say_capability(Step::capability_again);
      return done();
    case Step::capability_again:
      if (!ok) return broken("no capabilities");
      if (!settings_.use_id.empty() && offers("ID")) {
        say("ID (\"x-use\" \"" + settings_.use_id + "\")", Step::id);
        return done();
      }
      break;
    case Step::id: break;
    case Step::greeting:
    case Step::over: return broken("an answer nobody asked for");
  }
  step_ = Step::over;
  wants_ = Wants::nothing;
  return done();
}

Status ImapLogin::after_capability() {
  if (settings_.tls_is_on || tls_started_) return sign_in();
  if (!offers("STARTTLS")) return Error{ErrorKind::denied, "server offers no STARTTLS and TLS is required"};
  say("STARTTLS", Step::starttls);
  return done();
}

Status ImapLogin::sign_in() {
  std::vector<std::string> offered;
  for (const std::string& capability : capabilities_) {
    if (starts_with_ignoring_case(capability, "AUTH=")) offered.push_back(capability.substr(5));
  }
  std::erase_if(offered, [](const std::string& mechanism) { return equals_ignoring_case(mechanism, "LOGIN"); });
  if (!offers("LOGINDISABLED")) offered.emplace_back("LOGIN");  // the command, not the mechanism
  ASSIGN_OR_RETURN(way_, secrets_.choose(offered));
  if (way_ == LoginWay::login) return say_login();
  say("AUTHENTICATE " + std::string(mechanism_of(way_)), Step::authenticate);
  return done();
}

Status ImapLogin::say_login() {
  ASSIGN_OR_RETURN(const SecretText credential, secrets_.credential(way_));
  const std::string_view message = credential.reveal();
  const std::size_t separator = message.find('\0', 1);
  if (separator == std::string_view::npos || !may_be_quoted(message.substr(1, separator - 1)) ||
      !may_be_quoted(message.substr(separator + 1)))
    return Error{ErrorKind::unsupported, "the server takes LOGIN only, which cannot carry this user or password"};
  std::string line;
  line.reserve(2 * message.size() + 32);  // one allocation, so that the caller can wipe the only copy
  line.append("m").append(std::to_string(++tag_)).append(" LOGIN ");
  append_quoted(line, message.substr(1, separator - 1));
  line += ' ';
  append_quoted(line, message.substr(separator + 1));
  line += "\r\n";
  to_send_.push_back(std::move(line));
  step_ = Step::login;
  return done();
}

}  // namespace mailhold::imap
