#include "formats/smtp/smtp_client_dialogue.h"

#include <algorithm>

#include "base/text.h"

namespace mailhold::smtp {
namespace {

constexpr std::size_t recipients_max = 1000;
constexpr std::size_t mailbox_bytes_max = 320;
constexpr std::size_t commands_awaited_max = 100;  // a server that answers none of them stops us here
constexpr std::size_t chunk_bytes = 64 * 1024;

// Printable ASCII; spaces and brackets only inside a quoted local part: nothing that could end the path early.
bool fits_a_path(std::string_view mailbox) {
  if (mailbox.size() > mailbox_bytes_max) return false;
  bool quoted = false;
  for (std::size_t i = 0; i < mailbox.size(); ++i) {
    const char letter = mailbox[i];
    if (letter < 0x20 || letter > 0x7e) return false;
    if (quoted && letter == '\\') {
      if (++i == mailbox.size() || mailbox[i] < 0x20 || mailbox[i] > 0x7e) return false;
      continue;
    }
    if (letter == '"') quoted = !quoted;
    if (!quoted && (letter == ' ' || letter == '<' || letter == '>')) return false;
  }
  return !quoted;
}

bool fits_an_envelope_id(std::string_view id) {
  return id.size() <= 100 && std::all_of(id.begin(), id.end(), [](char letter) {
           return letter > 0x20 && letter < 0x7f && letter != '+' && letter != '=';  // no xtext needed, RFC 3461 section 4
         });
}

bool has_eight_bit(std::string_view bytes) {
  unsigned char seen = 0;
  for (const char byte : bytes) seen = static_cast<unsigned char>(seen | static_cast<unsigned char>(byte));
  return seen >= 0x80;
}

RecipientResult result_of(const Reply& reply) {
  if (reply.code >= 200 && reply.code < 300) return RecipientResult::delivered;
  return reply.is_permanent() ? RecipientResult::failed : RecipientResult::deferred;
}

std::string shown(const Reply& reply) { return std::to_string(reply.code) + " " + reply.enhanced; }

}  // namespace

ClientDialogue::ClientDialogue(ClientSettings settings) : settings_(std::move(settings)) {}

Status ClientDialogue::receive(std::string_view bytes) {
  if (step_ == Step::over) return Error{ErrorKind::invalid_input, "server spoke after the end of the session"};
  if (step_ == Step::tls) return end_with({ErrorKind::invalid_input, "server sent plain bytes where TLS begins"});
  Status read = replies_.receive(bytes);  // replies before the damage still count: a final 250 may be among them
  while (const std::optional<Reply> reply = replies_.next()) {
    if (Status taken = take(*reply); !taken) return end_with(std::move(taken.error()));
    if (step_ == Step::over) return done();
  }
  if (!read) return end_with(std::move(read.error()));
  return done();
}

Status ClientDialogue::end_with(Error error) {
  step_ = Step::over;
  wants_ = Wants::nothing;
  to_send_.clear();
  body_rest_ = {};
  body_is_open_ = false;
  return error;
}

Status ClientDialogue::refuse(ErrorKind kind, const Reply& reply) {
  refusal_ = reply;
  return Error{kind, "server refused the session: " + shown(reply)};
}

Status ClientDialogue::take(const Reply& reply) {
  // 421 may come at any time and ends the session (RFC 5321 section 3.8).
  if (reply.code == 421 && step_ != Step::quit) {
    if (step_ == Step::transaction || step_ == Step::body || step_ == Step::end_of_data) {
      decide_undecided(reply);
      end_transaction(false);
    }
    return refuse(ErrorKind::unavailable, reply);
  }
  switch (step_) {
    case Step::greeting: return take_greeting(reply);
    case Step::ehlo: return take_ehlo(reply);
    case Step::helo:
      if (result_of(reply) != RecipientResult::delivered) return refuse(ErrorKind::unavailable, reply);
      become_idle();
      return done();
    case Step::starttls: return take_starttls(reply);
    case Step::auth: return take_auth(reply);
    case Step::transaction: return take_transaction(reply);
    case Step::body: return take_body_reply(reply);
    case Step::end_of_data: return take_end_of_data(reply);
    case Step::reset:
      if (result_of(reply) != RecipientResult::delivered) return refuse(ErrorKind::unavailable, reply);
      become_idle();
      return done();
    case Step::quit:
      step_ = Step::over;
      wants_ = Wants::nothing;
      return done();
    case Step::idle:
    case Step::tls:
    case Step::over: break;
  }
  return Error{ErrorKind::invalid_input, "server gave a reply nobody asked for: " + shown(reply)};
}

void ClientDialogue::say(std::string line, Step next) {
  to_send_.push_back(std::move(line) + "\r\n");
  step_ = next;
  wants_ = Wants::reply;
}

void ClientDialogue::become_idle() {
  step_ = Step::idle;
  wants_ = Wants::message;
}

Status ClientDialogue::take_greeting(const Reply& reply) {
  if (reply.code != 220) return refuse(ErrorKind::unavailable, reply);
  if (settings_.signs_in() && settings_.tls == TlsRule::none && !settings_.tls_is_on) {
    return Error{ErrorKind::denied, "a credential is never sent without TLS"};
  }
  say("EHLO " + settings_.our_name, Step::ehlo);
  return done();
}

Status ClientDialogue::take_ehlo(const Reply& reply) {
  if (reply.is_permanent()) {
    const bool needs_ehlo = settings_.signs_in() || (settings_.tls == TlsRule::required && !settings_.tls_is_on);
    if (needs_ehlo) return refuse(ErrorKind::denied, reply);
    say("HELO " + settings_.our_name, Step::helo);  // RFC 5321 section 3.2
    return done();
  }
  if (result_of(reply) != RecipientResult::delivered) return refuse(ErrorKind::unavailable, reply);
  offers_ = {};
  for (std::size_t i = 1; i < reply.lines.size(); ++i) {
    const std::vector<std::string_view> words = split(trim(reply.lines[i]), ' ');
    const std::string keyword = to_lower(words[0]);
    if (keyword == "pipelining") offers_.pipelining = true;
    if (keyword == "8bitmime") offers_.eight_bit = true;
    if (keyword == "starttls") offers_.starttls = true;
    if (keyword == "dsn") offers_.dsn = true;
    if (keyword == "enhancedstatuscodes") offers_.enhanced = true;
    if (keyword == "size") {
      offers_.size = true;
      offers_.size_max = words.size() > 1 ? to_number(words[1]).value_or(0) : 0;
    }
    // "AUTH=PLAIN" is how servers of the last century wrote it.
    if (keyword == "auth" || keyword.starts_with("auth=")) {
      for (const std::string_view word : words) {
        const std::string_view mechanism = starts_with_ignoring_case(word, "AUTH=") ? word.substr(5) : word;
        if (equals_ignoring_case(mechanism, "PLAIN")) offers_.auth_plain = true;
        if (equals_ignoring_case(mechanism, "LOGIN")) offers_.auth_login = true;
        if (equals_ignoring_case(mechanism, "SCRAM-SHA-256")) offers_.auth_scram = true;
        if (equals_ignoring_case(mechanism, "XOAUTH2")) offers_.auth_xoauth2 = true;
      }
    }
  }
  return after_hello();
}

Status ClientDialogue::after_hello() {
  if (!settings_.tls_is_on) {
    const bool must = settings_.tls == TlsRule::required || settings_.signs_in();
    if (must && !offers_.starttls) return Error{ErrorKind::denied, "server offers no STARTTLS and TLS is required"};
    if (must || (settings_.tls == TlsRule::opportunistic && offers_.starttls)) {
      say("STARTTLS", Step::starttls);
      return done();
    }
  }
  if (settings_.signs_in()) return say_auth();
  become_idle();
  return done();
}

Status ClientDialogue::take_starttls(const Reply& reply) {
  if (reply.code == 220) {
    // What came with the reply was not protected: the injection of CVE-2011-0411, here from the server's side.
    if (replies_.has_leftover()) return Error{ErrorKind::invalid_input, "server sent plain bytes behind its STARTTLS reply"};
    step_ = Step::tls;
    wants_ = Wants::tls;
    return done();
  }
  if (settings_.tls == TlsRule::required || settings_.signs_in()) return refuse(ErrorKind::denied, reply);
  become_idle();
  return done();
}

void ClientDialogue::tls_started() {
  settings_.tls_is_on = true;
  offers_ = {};
  say("EHLO " + settings_.our_name, Step::ehlo);
}

// One allocation, so that the caller can wipe the only copy.
void ClientDialogue::say_secret(std::string_view before, std::string_view secret) {
  std::string line;
  line.reserve(before.size() + secret.size() + 2);
  line.append(before).append(secret).append("\r\n");
  to_send_.push_back(std::move(line));
  step_ = Step::auth;
  wants_ = Wants::reply;
}

Status ClientDialogue::say_auth() {
  if (settings_.xoauth2) {
    if (!offers_.auth_xoauth2) return Error{ErrorKind::denied, "server offers no AUTH XOAUTH2, and there is a token only"};
    auth_way_ = AuthWay::xoauth2;
    say("AUTH XOAUTH2", Step::auth);  // a token does not fit the length of a command (RFC 4954 section 4)
    return done();
  }
  if (offers_.auth_scram && settings_.scram) {
    auth_way_ = AuthWay::scram;
    ASSIGN_OR_RETURN(const std::string first, settings_.scram(0, {}));
    say("AUTH SCRAM-SHA-256 " + to_base64(first), Step::auth);
    return done();
  }
  if (!offers_.auth_plain && !offers_.auth_login)
    return Error{ErrorKind::denied, "server offers no AUTH PLAIN, LOGIN or SCRAM-SHA-256"};
  if (!offers_.auth_plain) {
    auth_way_ = AuthWay::login;
    say("AUTH LOGIN", Step::auth);
    return done();
  }
  ASSIGN_OR_RETURN(const SecretText credential, settings_.authenticate());
  say_secret("AUTH PLAIN ", credential.reveal());
  return done();
}

Status ClientDialogue::answer_challenge(const Reply& reply) {
  const int challenge = ++challenges_;
  if (auth_way_ == AuthWay::scram && challenge <= 2) {
    const auto message = from_base64(trim(reply.text()));
    if (!message) return Error{ErrorKind::invalid_input, "server sends a challenge that is no base64"};
    ASSIGN_OR_RETURN(const std::string answer, settings_.scram(challenge, *message));
    say(to_base64(answer), Step::auth);
    return done();
  }
  if (auth_way_ == AuthWay::xoauth2 && challenge == 1) {
    ASSIGN_OR_RETURN(const SecretText credential, settings_.xoauth2());
    say_secret("", credential.reveal());
    return done();
  }
  if (auth_way_ == AuthWay::xoauth2 && challenge == 2) {
    say("", Step::auth);  // it tells its error in a challenge and wants an empty line before its last word
    return done();
  }
  if (auth_way_ == AuthWay::login && challenge == 1) {
    ASSIGN_OR_RETURN(const SecretText credential, settings_.authenticate());
    auto plain = from_base64(credential.reveal());
    const std::size_t separator = plain ? plain->find('\0', 1) : std::string::npos;
    if (separator == std::string::npos) return Error{ErrorKind::bug, "no credential"};
    login_password_ = SecretText::take(to_base64(std::string_view(*plain).substr(separator + 1)));
    say_secret("", to_base64(std::string_view(*plain).substr(1, separator - 1)));
    wipe(*plain);
    return done();
  }
  if (auth_way_ == AuthWay::login && challenge == 2) {
    const SecretText password = std::move(login_password_);
    say_secret("", password.reveal());
    return done();
  }
  return Error{ErrorKind::invalid_input, "server wants more than AUTH has: " + shown(reply)};
}

Status ClientDialogue::take_auth(const Reply& reply) {
  if (reply.code == 334) return answer_challenge(reply);
  if (reply.code == 235) {
    if (auth_way_ == AuthWay::scram && challenges_ != 2)
      return Error{ErrorKind::denied, "the server did not prove that it knows the password"};
    if (auth_way_ == AuthWay::xoauth2 && challenges_ != 1)
      return Error{ErrorKind::invalid_input, "server takes a token that it never asked for or has refused"};
    become_idle();
    return done();
  }
  if (reply.is_positive()) return Error{ErrorKind::invalid_input, "server wants more than AUTH has: " + shown(reply)};
  return refuse(reply.is_permanent() ? ErrorKind::denied : ErrorKind::unavailable, reply);
}

Status ClientDialogue::submit(const ClientEnvelope& envelope, std::string_view body) {
  if (wants_ != Wants::message) return Error{ErrorKind::bug, "submit while the session is not idle"};
  if (envelope.rcpt_to.empty() || envelope.rcpt_to.size() > recipients_max) {
    return Error{ErrorKind::invalid_input, "an envelope has 1 to 1,000 recipients"};
  }
  const bool sound = fits_a_path(envelope.mail_from) && fits_an_envelope_id(envelope.envelope_id) &&
                     std::all_of(envelope.rcpt_to.begin(), envelope.rcpt_to.end(),
                                 [](const std::string& mailbox) { return !mailbox.empty() && fits_a_path(mailbox); });
  if (!sound) return Error{ErrorKind::invalid_input, "an address that no SMTP command can carry"};

  ++messages_;
  envelope_ = envelope;
  body_rest_ = body;
  body_is_open_ = false;
  body_at_line_start_ = true;
  expected_.clear();
  next_recipient_said_ = next_recipient_answered_ = accepted_ = 0;
  data_said_ = mail_refused_ = false;
  decided_.assign(envelope_.rcpt_to.size(), std::nullopt);
  outcome_.reset();

  if (offers_.size && offers_.size_max > 0 && body.size() > offers_.size_max) {  // RFC 1870 section 6.1
    decide_undecided(smtp::reply(552, "5.3.4", "the message is larger than the server's limit"));
    end_transaction(false);
    return done();
  }
  step_ = Step::transaction;
  wants_ = Wants::reply;
  say_mail();
  return done();
}

void ClientDialogue::say_mail() {
  std::string line = "MAIL FROM:<" + envelope_.mail_from + ">";
  if (offers_.size) line += " SIZE=" + std::to_string(body_rest_.size());
  if (offers_.eight_bit && has_eight_bit(body_rest_)) line += " BODY=8BITMIME";
  if (offers_.dsn && !envelope_.envelope_id.empty()) line += " ENVID=" + envelope_.envelope_id;
  to_send_.push_back(line + "\r\n");
  expected_.push_back(Command::mail);
  if (offers_.pipelining) say_more_of_transaction();
}

// With pipelining all recipients and DATA follow at once (RFC 2920 section 3.1); without, one command at a time.
void ClientDialogue::say_more_of_transaction() {
  std::string lines;
  while (!data_said_ && expected_.size() < (offers_.pipelining ? commands_awaited_max : 1)) {
    if (next_recipient_said_ < envelope_.rcpt_to.size()) {
      lines.append("RCPT TO:<").append(envelope_.rcpt_to[next_recipient_said_++]).append(">\r\n");
      expected_.push_back(Command::rcpt);
    } else {
      lines += "DATA\r\n";
      expected_.push_back(Command::data);
      data_said_ = true;
    }
  }
  if (lines.empty()) return;
  if (offers_.pipelining && !to_send_.empty())
    to_send_.back() += lines;
  else
    to_send_.push_back(std::move(lines));
}

Status ClientDialogue::take_transaction(const Reply& reply) {
  if (expected_.empty()) return Error{ErrorKind::invalid_input, "server gave a reply nobody asked for: " + shown(reply)};
  const Command command = expected_.front();
  if (command != Command::data && reply.code >= 300 && reply.code < 400) {
    return Error{ErrorKind::invalid_input, "server gave a reply that fits no command: " + shown(reply)};
  }
  expected_.pop_front();
  if (command == Command::mail && !reply.is_positive()) {
    mail_refused_ = true;
    decide_undecided(reply);
  }
  if (command == Command::rcpt) {
    std::optional<RecipientOutcome>& decided = decided_[next_recipient_answered_++];
    if (reply.is_positive())
      ++accepted_;
    else if (reply.code == 552 && !mail_refused_)
      decided = RecipientOutcome{RecipientResult::deferred, reply};  // too many, RFC 5321 section 4.5.3.1.10
    else if (!decided)
      decided = RecipientOutcome{result_of(reply), reply};
    if (mail_refused_) accepted_ = 0;
  }
  if (command == Command::data) {
    if (reply.code == 354) {
      begin_body();
      return done();
    }
    if (reply.is_positive()) return Error{ErrorKind::invalid_input, "server answered DATA with " + shown(reply)};
    decide_undecided(reply);
    end_transaction(true);
    return done();
  }
  const bool all_answered = expected_.empty() && next_recipient_answered_ == envelope_.rcpt_to.size();
  const bool hopeless = mail_refused_ || (all_answered && accepted_ == 0);
  if (hopeless && expected_.empty())
    end_transaction(true);
  else if (!mail_refused_)
    say_more_of_transaction();
  return done();
}

void ClientDialogue::begin_body() {
  // DATA went out with the recipients and all were refused: an empty message ends it (RFC 2920 section 3.1).
  if (accepted_ == 0) body_rest_ = {};
  body_is_open_ = true;
  step_ = Step::body;
}

// Nothing may be said while the message is on its way. A refusal stops us, but DATA cannot be taken back: the session ends.
Status ClientDialogue::take_body_reply(const Reply& reply) {
  if (reply.is_positive()) return Error{ErrorKind::invalid_input, "server answered before it had the message: " + shown(reply)};
  decide_undecided(reply);
  end_transaction(false);
  return refuse(ErrorKind::unavailable, reply);
}

Status ClientDialogue::take_end_of_data(const Reply& reply) {
  if (reply.code >= 300 && reply.code < 400) return Error{ErrorKind::invalid_input, "server ended DATA with " + shown(reply)};
  decide_undecided(reply);
  end_transaction(false);
  return done();
}

void ClientDialogue::decide_undecided(const Reply& reply) {
  for (std::optional<RecipientOutcome>& decided : decided_) {
    if (!decided) decided = RecipientOutcome{result_of(reply), reply};
  }
}

void ClientDialogue::end_transaction(bool needs_reset) {
  SubmissionOutcome outcome;
  for (std::optional<RecipientOutcome>& decided : decided_) {
    outcome.recipients.push_back(decided ? std::move(*decided) : RecipientOutcome{});
  }
  outcome_ = std::move(outcome);
  body_rest_ = {};
  body_is_open_ = false;
  if (needs_reset)
    say("RSET", Step::reset);
  else
    become_idle();
}

std::optional<SubmissionOutcome> ClientDialogue::next_outcome() { return std::exchange(outcome_, std::nullopt); }

void ClientDialogue::quit() {
  if (wants_ == Wants::message) say("QUIT", Step::quit);
}

std::optional<std::string> ClientDialogue::next_to_send() {
  if (!to_send_.empty()) {
    std::string bytes = std::move(to_send_.front());
    to_send_.pop_front();
    return bytes;
  }
  if (step_ == Step::body && body_is_open_) return next_body_chunk();
  return std::nullopt;
}

// Whole lines ended by CRLF whatever came in (RFC 5321 section 2.3.8), leading dots doubled (section 4.5.2): what stands
// in a message can neither end it nor hide a second one.
std::string ClientDialogue::next_body_chunk() {
  std::string out;
  out.reserve(std::min(body_rest_.size(), chunk_bytes) + 1024);
  while (!body_rest_.empty() && out.size() < chunk_bytes) {
    if (body_at_line_start_ && body_rest_.front() == '.') out += '.';
    std::string_view piece = body_rest_.substr(0, chunk_bytes);
    const std::size_t carriage_return = piece.find('\r');
    piece = piece.substr(0, carriage_return);
    if (const std::size_t bare = piece.find('\n'); bare != std::string_view::npos) {
      out.append(piece.substr(0, bare)).append("\r\n");
      body_rest_.remove_prefix(bare + 1);
      body_at_line_start_ = true;
      continue;
    }
    out.append(piece);
    body_rest_.remove_prefix(piece.size());
    body_at_line_start_ = carriage_return != std::string_view::npos;
    if (!body_at_line_start_) continue;
    out.append("\r\n");
    body_rest_.remove_prefix(body_rest_.starts_with("\r\n") ? 2 : 1);
  }
  if (body_rest_.empty()) {
    out.append(body_at_line_start_ ? ".\r\n" : "\r\n.\r\n");
    body_is_open_ = false;
    step_ = Step::end_of_data;
  }
  return out;
}

}  // namespace mailhold::smtp
