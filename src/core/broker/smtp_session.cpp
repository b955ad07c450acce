#include "core/broker/smtp_session.h"

namespace mailhold::broker {
namespace {

using Wants = smtp::ClientDialogue::Wants;

Deadline within(const Deadline& deadline, std::chrono::milliseconds limit) {
  return {std::min(deadline.at, std::chrono::steady_clock::now() + limit), deadline.stop};
}

}  // namespace

SmtpSession::SmtpSession(std::unique_ptr<net::Stream> stream, smtp::ClientSettings settings, SmtpTimes times)
    : stream_(std::move(stream)), dialogue_(std::move(settings)), times_(times) {}

SmtpSession::~SmtpSession() = default;

Result<std::unique_ptr<SmtpSession>> SmtpSession::open(std::unique_ptr<net::Stream> stream, std::shared_ptr<net::TlsClient> tls,
                                                       smtp::ClientSettings settings, SmtpTimes times, const Deadline& deadline,
                                                       std::optional<smtp::Reply>* refusal) {
  const Deadline opening = within(deadline, times.opening);
  const bool may_need_tls = settings.tls_is_on || settings.tls != smtp::TlsRule::none;
  if (may_need_tls && tls == nullptr) return Error{ErrorKind::bug, "a session with TLS without a TLS client"};
  if (settings.tls_is_on) {
    ASSIGN_OR_RETURN(stream, tls->start(std::move(stream), opening));
  }
  std::unique_ptr<SmtpSession> session(new SmtpSession(std::move(stream), std::move(settings), times));
  if (Status ready = session->become_ready(tls, opening); !ready) {
    if (refusal != nullptr) *refusal = session->dialogue_.refusal();
    return std::move(ready.error());
  }
  return session;
}

Status SmtpSession::become_ready(const std::shared_ptr<net::TlsClient>& tls, const Deadline& deadline) {
  while (dialogue_.wants() != Wants::message) {
    RETURN_IF_ERROR(send_what_is_due(deadline));
    if (dialogue_.wants() == Wants::nothing) return Error{ErrorKind::unavailable, "the session is over"};
    if (dialogue_.wants() == Wants::tls) {
      ASSIGN_OR_RETURN(stream_, tls->start(std::move(stream_), deadline));
      dialogue_.tls_started();
      continue;
    }
    RETURN_IF_ERROR(read_once(times_.opening, deadline));
  }
  return done();
}

Status SmtpSession::send_what_is_due(const Deadline& deadline) {
  while (std::optional<std::string> bytes = dialogue_.next_to_send()) {
    const bool is_secret = dialogue_.is_authenticating();
    Status sent = stream_->write_all(*bytes, within(deadline, times_.block));
    if (is_secret) wipe(*bytes);
    RETURN_IF_ERROR(std::move(sent));
  }
  return done();
}

Status SmtpSession::read_once(std::chrono::milliseconds limit, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::string bytes, stream_->read_some(within(deadline, limit)));
  if (bytes.empty()) return Error{ErrorKind::unavailable, "server closed the connection"};
  return dialogue_.receive(bytes);
}

Result<smtp::SubmissionOutcome> SmtpSession::deliver(const smtp::ClientEnvelope& envelope, std::string_view body,
                                                     const Deadline& deadline) {
  std::optional<smtp::SubmissionOutcome> outcome;
  Status state =
      is_open() ? become_ready(nullptr, within(deadline, times_.command)) : Error{ErrorKind::unavailable, "the session is over"};
  if (state) {
    RETURN_IF_ERROR(dialogue_.submit(envelope, body));
    state = transfer(deadline, outcome);
  }
  if (outcome) {
    broken_ = broken_ || !state;
    return std::move(*outcome);
  }
  broken_ = true;
  const bool may_have_arrived = dialogue_.message_is_out();
  const smtp::Reply reply =
      smtp::reply(451, "4.4.2",
                  may_have_arrived ? "the connection was lost before the server's last word; it may have the message"
                                   : "the connection was lost");
  return smtp::SubmissionOutcome{.recipients = std::vector(envelope.rcpt_to.size(), smtp::RecipientOutcome{.reply = reply}),
                                 .is_untried = !may_have_arrived};
}

Status SmtpSession::transfer(const Deadline& deadline, std::optional<smtp::SubmissionOutcome>& outcome) {
  for (;;) {
    outcome = dialogue_.next_outcome();
    if (outcome) return done();
    if (dialogue_.wants() == Wants::nothing) return Error{ErrorKind::unavailable, "the session is over"};
    Status sent = send_what_is_due(deadline);
    // A server that hangs up while we write may have said why.
    const std::chrono::milliseconds limit = !sent                        ? std::chrono::milliseconds(1000)
                                            : dialogue_.message_is_out() ? times_.end_of_data
                                                                         : times_.command;
    Status read = read_once(limit, deadline);
    if (!sent || !read) {
      outcome = dialogue_.next_outcome();
      return sent ? std::move(read) : std::move(sent);
    }
  }
}

bool SmtpSession::is_open() const { return !broken_ && dialogue_.wants() != Wants::nothing; }

void SmtpSession::close(const Deadline& deadline) {
  if (!is_open()) return;
  broken_ = true;
  if (dialogue_.wants() != Wants::message) return;
  dialogue_.quit();
  const Deadline brief = within(deadline, std::chrono::seconds(2));
  if (send_what_is_due(brief)) static_cast<void>(static_cast<bool>(read_once(std::chrono::seconds(2), brief)));
}

}  // namespace mailhold::broker
