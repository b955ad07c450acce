#include "features/mailboxes/imap/imap_session.h"

#include <algorithm>

#include "base/text.h"

namespace mailhold::mailboxes {
namespace {

const ImapSession::Take ignore = [](imap::Response&) { return done(); };

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char letter) { return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 32) : letter; });
  return out;
}

// In words alone, as Dovecot 2.3 says it of EXAMINE.
bool says_there_is_none(const imap::Response& response) {
  if (!response.code.empty()) return false;
  const std::string said = to_lower(response.text);
  constexpr std::string_view ways[] = {"doesn't exist", "does not exist", "no such mailbox", "unknown mailbox",
                                       "mailbox not found"};
  return std::ranges::any_of(ways, [&](std::string_view way) { return said.find(way) != std::string::npos; });
}

// The server's words may name folders and addresses: they go to the one who asked, never to the log as they are.
Error refusal(const imap::Response& response) {
  const std::string said = response.code.empty() ? response.text : "[" + response.code + "] " + response.text;
  if (imap::means_later(response.code)) return {ErrorKind::unavailable, "the server says later", said};
  if (response.code == "NONEXISTENT" || response.code == "TRYCREATE" || says_there_is_none(response))
    return {ErrorKind::not_found, "the server knows no such folder", said};
  return {ErrorKind::denied, "the server refuses a command", said};
}

Error ended_by(const imap::Response& bye, const char* what) { return {ErrorKind::unavailable, what, bye.text}; }

}  // namespace

Result<std::unique_ptr<ImapSession>> ImapSession::start(std::unique_ptr<net::Stream> stream, ImapSessionSettings settings,
                                                        const Deadline& deadline) {
  std::unique_ptr<ImapSession> session(new ImapSession(std::move(stream), settings));
  RETURN_IF_ERROR(session->greet(deadline));
  return session;
}

Status ImapSession::greet(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const imap::Response greeting, next(deadline));
  if (greeting.condition == imap::Condition::bye) return fail(ended_by(greeting, "the server ended the session at once"));
  if (greeting.condition != imap::Condition::preauth)
    return fail({ErrorKind::corrupt, "the session does not begin with PREAUTH"});
  learn(greeting.capabilities);
  if (capabilities_.empty()) RETURN_IF_ERROR(run("CAPABILITY", ignore, deadline));
  std::string enable;
  if (has("QRESYNC"))
    enable += " QRESYNC";
  else if (has("CONDSTORE"))
    enable += " CONDSTORE";
  if (has("UTF8=ACCEPT")) enable += " UTF8=ACCEPT";
  if (!has("ENABLE") || enable.empty()) return done();
  const Take take = [this](imap::Response& response) {
    for (const std::string& each : response.enabled) is_utf8_ = is_utf8_ || each == "UTF8=ACCEPT";
    return done();
  };
  const auto enabled = run("ENABLE" + enable, take, deadline);
  if (!enabled && enabled.error().kind == ErrorKind::denied) return done();  // the plain way works everywhere
  if (!enabled) return enabled.error();
  has_qresync_ = has("QRESYNC");
  return done();
}

void ImapSession::learn(const std::vector<std::string>& capabilities) {
  if (capabilities.empty()) return;
  capabilities_.clear();
  for (const std::string& each : capabilities) capabilities_.insert(upper(each));
}

Status ImapSession::fail(Error error) {
  failure_ = error;
  return error;
}

Result<imap::Response> ImapSession::next(const Deadline& deadline) {
  for (;;) {
    if (auto response = reader_.next()) return std::move(*response);
    Deadline wait = Deadline::after(settings_.silence_max, deadline.stop);
    wait.at = std::min(wait.at, deadline.at);
    const auto count = stream_->read(room_, wait);
    if (!count) return fail(count.error()).error();
    RETURN_IF_ERROR(receive({room_.data(), *count}));
  }
}

Status ImapSession::receive(std::string_view bytes) {
  if (bytes.empty()) return fail({ErrorKind::unavailable, "the server closed the session"});
  bytes_received_ += bytes.size();
  if (const Status received = reader_.receive(bytes); !received) return fail({ErrorKind::corrupt, received.error().detail});
  return done();
}

namespace {

// For what is so short that it is written at once, or never.
Deadline at_once() { return Deadline::after(std::chrono::milliseconds(0)); }

}  // namespace

Result<std::string> ImapSession::begin_idle() {
  if (failure_) return *failure_;
  const std::string tag = next_tag();
  if (const Status sent = stream_->write_all(tag + " IDLE\r\n", at_once()); !sent) return fail(sent.error()).error();
  return tag;
}

Status ImapSession::end_idle() {
  if (failure_) return *failure_;
  if (const Status sent = stream_->write_all("DONE\r\n", at_once()); !sent) return fail(sent.error());
  return done();
}

Result<std::vector<imap::Response>> ImapSession::take_if_ready() {
  if (failure_) return *failure_;
  ASSIGN_OR_RETURN(const std::optional<std::size_t> count, stream_->read_if_ready(room_));
  if (count) RETURN_IF_ERROR(receive({room_.data(), *count}));
  std::vector<imap::Response> responses;
  while (std::optional<imap::Response> response = reader_.next()) {
    if (response->condition == imap::Condition::bye) return fail(ended_by(*response, "the server said BYE")).error();
    responses.push_back(std::move(*response));
  }
  return responses;
}

Result<imap::Response> ImapSession::wait_for_any(const Deadline& deadline) {
  ASSIGN_OR_RETURN(imap::Response response, next(deadline));
  if (response.condition == imap::Condition::bye) return fail(ended_by(response, "the server said BYE")).error();
  return response;
}

Result<imap::Response> ImapSession::await(const std::string& tag, const Take& take, const Deadline& deadline) {
  if (failure_) return *failure_;
  for (std::size_t count = 0;; ++count) {
    const auto own = sent_.find(tag);
    if (own != sent_.end() && own->second) {
      const imap::Response response = std::move(*own->second);
      sent_.erase(own);
      if (response.condition != imap::Condition::ok) return refusal(response);
      return response;
    }
    if (count > settings_.responses_max) return fail({ErrorKind::limit_exceeded, "the server does not come to an end"}).error();
    ASSIGN_OR_RETURN(imap::Response response, next(deadline));
    learn(response.capabilities);
    if (response.condition == imap::Condition::bye) return fail(ended_by(response, "the server said BYE")).error();
    if (response.tag.empty()) {
      if (const Status taken = take(response); !taken) return fail(taken.error()).error();
      continue;
    }
    const auto ended = sent_.find(response.tag);
    if (ended == sent_.end() || ended->second)
      return fail({ErrorKind::corrupt, "the server ends a command that was not given"}).error();
    ended->second = std::move(response);
  }
}

Result<std::string> ImapSession::send(const std::string& command, const Deadline& deadline) {
  if (failure_) return *failure_;
  const std::string tag = next_tag();
  if (const Status sent = stream_->write_all(tag + " " + command + "\r\n", deadline); !sent) {
    // Who has hung up may have answered before: that is read by those who await it.
    if (sent.error().kind != ErrorKind::unavailable) return fail(sent.error()).error();
    return sent.error();
  }
  sent_.emplace(tag, std::nullopt);
  return tag;
}

Result<imap::Response> ImapSession::run(const std::string& command, const Take& take, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::string tag, send(command, deadline));
  return await(tag, take, deadline);
}

bool ImapSession::takes_literal_at_once(std::size_t bytes) const {
  constexpr std::size_t literal_minus_bytes_max = 4096;  // RFC 7888 section 5
  return has("LITERAL+") || (has("LITERAL-") && bytes <= literal_minus_bytes_max);
}

Result<std::string> ImapSession::send_with_literals(const std::string& command, const std::vector<Part>& parts,
                                                    const Deadline& deadline) {
  if (failure_) return *failure_;
  const std::string tag = next_tag();
  // One write for what is small: each is a record of TLS further on.
  constexpr std::size_t joined_bytes_max = 64U << 10;
  Status sent = done();
  std::string joined = tag + " " + command;
  const auto write = [&](std::string_view bytes) {
    if (sent && joined.size() + bytes.size() > joined_bytes_max) sent = stream_->write_all(std::exchange(joined, {}), deadline);
    if (bytes.size() <= joined_bytes_max)
      joined.append(bytes);
    else if (sent)
      sent = stream_->write_all(bytes, deadline);
  };
  for (const auto& [words, literal] : parts) {
    write((words.empty() ? " {" : " " + std::string(words) + " {") + std::to_string(literal.size()) + "+}\r\n");
    write(literal);
  }
  write("\r\n");
  if (sent) sent = stream_->write_all(joined, deadline);
  if (!sent) return fail(sent.error()).error();
  sent_.emplace(tag, std::nullopt);
  return tag;
}

Result<imap::Response> ImapSession::run_with_literal(const std::string& command, std::string_view literal,
                                                     const Deadline& deadline) {
  if (failure_) return *failure_;
  if (takes_literal_at_once(literal.size())) {
    ASSIGN_OR_RETURN(const std::string tag, send_with_literals(command, {{{}, literal}}, deadline));
    return await(tag, ignore, deadline);
  }
  const std::string tag = next_tag();
  const std::string line = tag + " " + command + " {" + std::to_string(literal.size()) + "}\r\n";
  if (const Status sent = stream_->write_all(line, deadline); !sent) return fail(sent.error()).error();
  for (;;) {
    ASSIGN_OR_RETURN(imap::Response response, next(deadline));
    if (response.kind == imap::Response::Kind::continuation) break;
    if (response.condition == imap::Condition::bye) return fail(ended_by(response, "the server said BYE")).error();
    if (!response.tag.empty() && response.tag != tag)
      return fail({ErrorKind::corrupt, "the server ends a command that was not given"}).error();
    if (!response.tag.empty() && response.condition == imap::Condition::ok)
      return fail({ErrorKind::corrupt, "the server takes a message it was not given"}).error();
    if (!response.tag.empty()) return refusal(response);
  }
  for (const std::string_view part : {literal, std::string_view("\r\n")}) {
    if (const Status sent = stream_->write_all(part, deadline); !sent) return fail(sent.error()).error();
  }
  sent_.emplace(tag, std::nullopt);
  return await(tag, ignore, deadline);
}

}  // namespace mailhold::mailboxes
