#include "formats/smtp/smtp_server_dialogue.h"

#include "base/text.h"

namespace mailhold::smtp {
namespace {

constexpr std::size_t command_bytes_max = 512;             // RFC 5321 section 4.5.3.1.4, with CRLF
constexpr std::size_t command_with_parameters_max = 2048;  // MAIL and RCPT: extensions lengthen them
constexpr std::size_t helo_bytes_max = 255;

bool is_printable(std::string_view text) {
  for (const char c : text) {
    if (c < ' ' || c > '~') return false;
  }
  return true;
}

// The path of MAIL or RCPT and what follows it. Real clients put a space after the colon or leave the
// brackets away; both are read, since nothing can be misunderstood by it.
Result<Address> take_lenient_path(std::string_view& rest) {
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  if (!rest.empty() && rest.front() == '<') return take_path(rest);
  const std::size_t end = rest.find(' ');
  const std::string_view mailbox = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end);
  return parse_mailbox(mailbox);
}

// "FROM:" at the start, any case.
bool take_keyword(std::string_view& text, std::string_view keyword) {
  if (!starts_with_ignoring_case(text, keyword)) return false;
  text.remove_prefix(keyword.size());
  return true;
}

// A client that speaks HTTP at us is a browser under someone else's control.
bool is_http(std::string_view verb) {
  for (const char* method : {"GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS"}) {
    if (equals_ignoring_case(verb, method)) return true;
  }
  return false;
}

}  // namespace

void ServerDialogue::say(int code, std::string_view enhanced, std::string_view text) {
  append_reply(output_, reply(code, enhanced, text));
}

void ServerDialogue::refuse(const Reply& refusal) {
  append_reply(output_, refusal);
  if (refusal.is_permanent()) ++errors_;  // "too many recipients" is no fault of the client
  if (refusal.code == 421) state_ = State::closed;
}

void ServerDialogue::refuse(int code, std::string_view enhanced, std::string_view text) { refuse(reply(code, enhanced, text)); }

void ServerDialogue::reset() {
  if (has_mail_) rules_.forget_transaction();
  has_mail_ = false;
  mail_ = MailParameters{};
  std::vector<Address>().swap(recipients_);
}

ServerDialogue::Event ServerDialogue::close() {
  state_ = State::closed;
  reset();
  return Event::close;
}

void ServerDialogue::greet() { append_reply(output_, {220, {}, {settings_.host_name + " ESMTP Mailhold"}}); }

void ServerDialogue::give_up(std::string_view enhanced, std::string_view text) {
  say(421, enhanced, settings_.host_name + " " + std::string(text));
  (void)close();
}

void ServerDialogue::tls_started() {
  secured_ = true;
  reset();
  helo_.clear();
  extended_ = false;
  line_.clear();
  line_too_long_ = false;
}

// Collects one line into line_ without its CRLF; false when the input ends before.
bool ServerDialogue::take_line(std::string_view& input) {
  const std::size_t end = input.find('\n');
  const std::string_view piece = input.substr(0, end == std::string_view::npos ? input.size() : end + 1);
  input.remove_prefix(piece.size());
  if (line_.size() + piece.size() > command_with_parameters_max) {
    line_too_long_ = true;  // nothing more is kept of it, but its end must be found
    line_.clear();
  }
  if (!line_too_long_) line_ += piece;
  return end != std::string_view::npos;
}

ServerDialogue::Event ServerDialogue::run(std::string_view& input) {
  for (;;) {
    if (state_ == State::closed) return close();
    if (input.empty()) return Event::need_input;
    if (state_ == State::content) {
      if (const Event event = run_content(input); event != Event::need_input || input.empty()) return event;
      continue;
    }
    std::string kept;  // lives as long as `line`
    std::string_view line;
    if (const std::size_t end = input.find('\n'); line_.empty() && !line_too_long_ && end < command_with_parameters_max) {
      line = input.substr(0, end + 1);  // the usual case: a whole line that arrived at once, not copied
      input.remove_prefix(end + 1);
    } else {
      if (!take_line(input)) return Event::need_input;
      kept.swap(line_);
      line = kept;
    }
    const Event event = run_line(line);
    if (event == Event::start_tls) input = {};  // RFC 3207 section 5: commands injected before TLS must not count
    if (event != Event::need_input) return event;
    if (state_ != State::closed && (errors_ >= settings_.errors_max || unknown_ >= settings_.unknown_commands_max)) {
      give_up("4.7.0", "too many errors");
    }
  }
}

ServerDialogue::Event ServerDialogue::run_content(std::string_view& input) {
  if (!content_.read(input)) {
    // A client that goes on without end although its message is lost is cut off.
    if (content_.bytes_seen() > 2 * settings_.message_bytes_max + (1u << 20)) give_up("4.3.4", "message size exceeds limit");
    return state_ == State::closed ? close() : Event::need_input;
  }
  state_ = State::commands;
  switch (content_.fault()) {
    case ContentReader::Fault::none: state_ = State::message; return Event::message;
    case ContentReader::Fault::bare_newline:
      refuse(550, "5.6.11", "bare CR or LF in the message; lines must end with CRLF");
      break;
    case ContentReader::Fault::nul: refuse(550, "5.6.0", "NUL in the message"); break;
    case ContentReader::Fault::too_big: refuse(552, "5.3.4", "message size exceeds limit"); break;
  }
  reset();
  return Event::need_input;
}

ReceivedMessage ServerDialogue::take_message() { return {mail_, recipients_, content_.take()}; }

void ServerDialogue::finish_message(const Reply& reply) {
  if (state_ == State::message) state_ = State::commands;
  append_reply(output_, reply);
  if (reply.is_permanent()) ++errors_;
  if (reply.code == 421) state_ = State::closed;
  reset();
}

ServerDialogue::Event ServerDialogue::run_line(std::string_view line) {
  if (line_too_long_) {
    line_too_long_ = false;
    refuse(500, "5.5.6", "line too long");
    return Event::need_input;
  }
  line.remove_suffix(1);
  if (!line.empty() && line.back() == '\r') {
    line.remove_suffix(1);
  } else if (settings_.bare_newlines == BareNewlines::reject) {
    refuse(500, "5.5.2", "lines must end with CRLF");
    return Event::need_input;
  }
  while (!line.empty() && line.back() == ' ') line.remove_suffix(1);
  if (!is_printable(line)) {
    const bool tells_address = starts_with_ignoring_case(line, "MAIL") || starts_with_ignoring_case(line, "RCPT");
    if (tells_address)
      refuse(553, "5.6.7", "address must be ASCII: SMTPUTF8 is not offered");
    else
      refuse(500, "5.5.2", "command has a byte outside ASCII");
    return Event::need_input;
  }
  const std::size_t space = line.find(' ');
  Command command{line.substr(0, space), {}};
  if (space != std::string_view::npos) command.argument = trim(line.substr(space));
  const bool may_be_long = equals_ignoring_case(command.verb, "MAIL") || equals_ignoring_case(command.verb, "RCPT");
  if (line.size() + 2 > command_bytes_max && !may_be_long) {
    refuse(500, "5.5.6", "line too long");
    return Event::need_input;
  }
  return dispatch(command);
}

ServerDialogue::Event ServerDialogue::dispatch(const Command& command) {
  const auto is = [&](std::string_view name) { return equals_ignoring_case(command.verb, name); };
  if (is("MAIL"))
    mail(command.argument);
  else if (is("RCPT"))
    rcpt(command.argument);
  else if (is("DATA"))
    data(command.argument);
  else if (is("EHLO"))
    ehlo(command.argument, true);
  else if (is("HELO"))
    ehlo(command.argument, false);
  else if (is("RSET")) {
    if (!command.argument.empty())
      refuse(501, "5.5.4", "RSET takes no argument");
    else {
      reset();
      say(250, "2.0.0", "ok");
    }
  } else if (is("NOOP"))
    say(250, "2.0.0", "ok");
  else if (is("VRFY")) {
    // RFC 5321 section 3.5.3: 252 tells nobody who exists.
    if (command.argument.empty())
      refuse(501, "5.5.4", "VRFY needs an address");
    else
      say(252, "2.1.5", "cannot verify; will try to deliver");
  } else if (is("HELP"))
    say(214, "2.0.0", "see RFC 5321");
  else if (is("STARTTLS"))
    return starttls(command.argument);
  else if (is("QUIT")) {
    say(221, "2.0.0", settings_.host_name + " closing");
    return close();
  } else
    return unknown(command.verb);
  return state_ == State::closed ? close() : Event::need_input;
}

ServerDialogue::Event ServerDialogue::unknown(std::string_view verb) {
  if (is_http(verb)) {
    refuse(502, "5.7.0", "this is a mail server");
    return close();
  }
  ++unknown_;
  for (const char* known : {"AUTH", "BDAT", "EXPN", "TURN", "ETRN", "SEND", "SOML", "SAML"}) {
    if (!equals_ignoring_case(verb, known)) continue;
    refuse(502, "5.5.1", "command not implemented");
    return Event::need_input;
  }
  refuse(500, "5.5.2", "command not recognised");
  return Event::need_input;
}

void ServerDialogue::ehlo(std::string_view name, bool extended) {
  if (name.empty() || name.size() > helo_bytes_max || name.find(' ') != std::string_view::npos) {
    return refuse(501, "5.5.4", extended ? "EHLO needs a domain" : "HELO needs a domain");
  }
  reset();  // RFC 5321 section 4.1.4
  helo_ = std::string(name);
  extended_ = extended;
  if (!extended) return append_reply(output_, {250, {}, {settings_.host_name}});
  Reply features{250,
                 {},
                 {settings_.host_name, "PIPELINING", "SIZE " + std::to_string(settings_.message_bytes_max), "8BITMIME",
                  "ENHANCEDSTATUSCODES"}};
  if (settings_.offer_starttls && !secured_) features.lines.emplace_back("STARTTLS");
  features.lines.emplace_back("HELP");
  append_reply(output_, features);
}

bool ServerDialogue::read_mail_parameters(std::string_view text, MailParameters& mail) {
  for (const std::string_view parameter : split(text, ' ')) {
    if (parameter.empty()) continue;
    const std::size_t equals = parameter.find('=');
    const std::string_view name = parameter.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : parameter.substr(equals + 1);
    if (equals_ignoring_case(name, "SIZE")) {
      const auto size = to_number(value);
      if (!size || value.size() > 20) {
        refuse(501, "5.5.4", "SIZE needs a number");
        return false;
      }
      mail.size = *size;
    } else if (equals_ignoring_case(name, "BODY") && equals_ignoring_case(value, "8BITMIME")) {
      mail.eight_bit = true;
    } else if (!equals_ignoring_case(name, "BODY") || !equals_ignoring_case(value, "7BIT")) {
      refuse(555, "5.5.4", "MAIL parameter not supported");
      return false;
    }
  }
  return true;
}

void ServerDialogue::mail(std::string_view argument) {
  if (helo_.empty()) return refuse(503, "5.5.1", "send EHLO first");
  if (has_mail_) return refuse(503, "5.5.1", "nested MAIL");
  if (!take_keyword(argument, "FROM:")) return refuse(501, "5.5.4", "syntax: MAIL FROM:<address>");
  Result<Address> from = take_lenient_path(argument);
  if (!from || (!argument.empty() && argument.front() != ' ')) return refuse(501, "5.1.7", "malformed sender address");
  MailParameters mail{std::move(*from), 0, false};
  if (!read_mail_parameters(argument, mail)) return;
  // RFC 1870 section 6.1
  if (mail.size > settings_.message_bytes_max) return refuse(552, "5.3.4", "message size exceeds limit");
  if (messages_ >= settings_.messages_max) return give_up("4.7.0", "too many messages in one session");
  if (const auto refusal = rules_.refuse_mail(mail)) return refuse(*refusal);
  mail_ = std::move(mail);
  has_mail_ = true;
  ++messages_;
  say(250, "2.1.0", "sender ok");
}

void ServerDialogue::rcpt(std::string_view argument) {
  if (!has_mail_) return refuse(503, "5.5.1", "send MAIL first");
  if (!take_keyword(argument, "TO:")) return refuse(501, "5.5.4", "syntax: RCPT TO:<address>");
  std::string_view rest = argument;
  Result<Address> recipient = take_lenient_path(rest);
  if (equals_ignoring_case(trim(argument), "<postmaster>")) {  // RFC 5321 section 4.5.1: the one name without a domain
    recipient = Address{"postmaster", to_lower(settings_.host_name)};
    rest = {};
  }
  if (!recipient || recipient->is_null() || (!rest.empty() && rest.front() != ' ')) {
    return refuse(501, "5.1.3", "malformed recipient address");
  }
  if (!rest.empty()) return refuse(555, "5.5.4", "RCPT parameter not supported");
  if (recipients_.size() >= settings_.recipients_max) return refuse(452, "4.5.3", "too many recipients");
  if (const auto refusal = rules_.refuse_recipient(*recipient)) return refuse(*refusal);
  recipients_.push_back(std::move(*recipient));
  say(250, "2.1.5", "recipient ok");
}

void ServerDialogue::data(std::string_view argument) {
  if (!argument.empty()) return refuse(501, "5.5.4", "DATA takes no argument");
  if (!has_mail_) return refuse(503, "5.5.1", "send MAIL first");
  if (recipients_.empty()) return refuse(554, "5.5.1", "no valid recipients");
  content_.start(settings_.bare_newlines, settings_.message_bytes_max, mail_.size);
  state_ = State::content;
  append_reply(output_, {354, {}, {"end with <CRLF>.<CRLF>"}});
}

ServerDialogue::Event ServerDialogue::starttls(std::string_view argument) {
  if (!argument.empty())
    refuse(501, "5.5.4", "STARTTLS takes no argument");
  else if (!settings_.offer_starttls)
    refuse(502, "5.5.1", "command not implemented");
  else if (secured_)
    refuse(503, "5.5.1", "TLS is on already");
  else {
    say(220, "2.0.0", "ready for TLS");
    return Event::start_tls;
  }
  return Event::need_input;
}

}  // namespace mailhold::smtp
