#include "features/mailboxes/imap/imap_watch.h"

namespace mailhold::mailboxes {
namespace {

using imap::Response;

const ImapSession::Take ignore = [](Response&) { return done(); };

bool is_change(const Response& response) {
  switch (response.kind) {
    case Response::Kind::exists:
    case Response::Kind::recent:
    case Response::Kind::expunge:
    case Response::Kind::vanished:
    case Response::Kind::fetch: return true;
    default: return false;
  }
}

}  // namespace

Result<std::unique_ptr<MailboxWatch>> ImapWatch::open(std::unique_ptr<ImapSession> session, const ImapWatchSettings& settings,
                                                      const Deadline& deadline) {
  if (!session->has("IDLE")) return Error{ErrorKind::unsupported, "the server has no IDLE"};
  RETURN_IF_ERROR(session->run("EXAMINE \"INBOX\"", ignore, deadline));
  std::unique_ptr<ImapWatch> watch(new ImapWatch(std::move(session), settings));
  RETURN_IF_ERROR(watch->begin());
  while (watch->state_ != State::idling) {
    ASSIGN_OR_RETURN(const Response response, watch->session_->wait_for_any(deadline));
    RETURN_IF_ERROR(watch->check_amount());
    RETURN_IF_ERROR(watch->take(response));
  }
  return std::unique_ptr<MailboxWatch>(std::move(watch));
}

Status ImapWatch::begin() {
  ASSIGN_OR_RETURN(tag_, session_->begin_idle());
  state_ = State::beginning;
  received_before_ = session_->bytes_received();
  act_at_ = std::chrono::steady_clock::now() + settings_.silence_max;
  return done();
}

Status ImapWatch::end() {
  state_ = State::ending;
  act_at_ = std::chrono::steady_clock::now() + settings_.silence_max;
  return session_->end_idle();
}

Status ImapWatch::check_amount() const {
  if (session_->bytes_received() - received_before_ <= settings_.idle_bytes_max) return done();
  return Error{ErrorKind::limit_exceeded, "the server talks without end while it is watched"};
}

Result<bool> ImapWatch::look() {
  bool changed = false;
  ASSIGN_OR_RETURN(const std::vector<Response> responses, session_->take_if_ready());
  RETURN_IF_ERROR(check_amount());
  for (const Response& response : responses) {
    ASSIGN_OR_RETURN(const bool changes, take(response));
    changed = changed || changes;
  }
  if (std::chrono::steady_clock::now() < act_at_) return changed;
  if (state_ != State::idling) return Error{ErrorKind::timed_out, "the server does not answer IDLE"};
  RETURN_IF_ERROR(end());
  return changed;
}

// Whether it tells a change.
Result<bool> ImapWatch::take(const Response& response) {
  if (response.kind == Response::Kind::continuation && state_ == State::beginning) {
    state_ = State::idling;
    act_at_ = std::chrono::steady_clock::now() + settings_.renew_after;
    return false;
  }
  if (response.tag.empty()) return is_change(response);
  if (response.tag != tag_) return Error{ErrorKind::corrupt, "the server ends a command that was not given"};
  const bool is_ok = response.condition == imap::Condition::ok;
  if (state_ == State::ending && is_ok) {
    RETURN_IF_ERROR(begin());
    return false;
  }
  if (state_ == State::beginning && !is_ok && !imap::means_later(response.code))
    return Error{ErrorKind::unsupported, "the server says no to IDLE", response.text};
  return Error{ErrorKind::unavailable, "the server ended IDLE", response.text};
}

}  // namespace mailhold::mailboxes
