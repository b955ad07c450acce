#include "features/gateway/inbound/session.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace mailhold::gateway {

using Event = smtp::ServerDialogue::Event;

SessionWorld::SessionWorld(const InboundSettings& inbound, DirectoryLease& lease, Gate& the_gate, InboundCounts& the_counts)
    : settings(inbound), directory(lease), gate(the_gate), counts(the_counts) {
  dialogue.host_name = inbound.host_name;
  dialogue.bare_newlines = inbound.bare_newlines;
  dialogue.message_bytes_max = inbound.size_bytes_max;
  dialogue.recipients_max = inbound.recipients_max;
  dialogue.errors_max = inbound.errors_max;
  dialogue.messages_max = inbound.messages_per_session_max;
}

std::shared_ptr<const net::TlsIdentity> SessionWorld::identity() const {
  const std::lock_guard lock(mutex_);
  return identity_;
}

void SessionWorld::set_identity(std::shared_ptr<const net::TlsIdentity> identity) {
  const std::lock_guard lock(mutex_);
  identity_ = std::move(identity);
}

Session::Session(int socket, std::string ip, SessionWorld& world)
    : socket_(socket),
      ip_(std::move(ip)),
      world_(world),
      dialogue_(world.dialogue, *this),
      ends_(Time::now() + world.settings.session_time),
      step_ends_(Time::now() + world.settings.command_time) {}

Session::~Session() {
  forget_transaction();
  world_.counts.content_bytes -= noted_content_;
  ::close(socket_);
}

Session::Time::time_point Session::deadline() const { return std::min(ends_, step_ends_); }

Session::Next Session::open() {
  dialogue_.greet();
  if (!take_output()) return Next::close;
  const Sent sent = send();
  return sent == Sent::lost ? Next::close : sent == Sent::some ? Next::write : Next::read;
}

Session::Next Session::resume(char* scratch) {
  if (expired_) return Next::close;
  Next next = Next::read;
  if (verdict_) {
    dialogue_.finish_message(*verdict_);
    verdict_.reset();
    note_content();
    step_ends_ = Time::now() + world_.settings.command_time;
    const std::string kept = std::move(pending_);
    pending_ = std::string();
    next = use(kept);
  } else if (unsent_.empty()) {
    next = read(scratch);
  } else if (closing_) {
    next = Next::close;
  }
  if (next == Next::verdict) return next;
  if (!take_output()) return Next::close;
  const Sent sent = send();
  if (sent == Sent::lost) return Next::close;
  if (sent == Sent::some) {
    closing_ = closing_ || next == Next::close;
    return Next::write;
  }
  return closing_ ? Next::close : next;
}

Session::Next Session::read(char* scratch) {
  const ssize_t count = ::recv(socket_, scratch, read_bytes, 0);
  if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? Next::read : Next::close;
  if (count == 0) return Next::close;
  const std::string_view wire(scratch, static_cast<std::size_t>(count));
  if (!tls_) return use(wire);
  const bool was_established = tls_->is_established();
  std::string plain;
  const Status received = tls_->receive(wire, plain);
  unsent_ += tls_->output();
  tls_->output().clear();
  if (!received) {
    (void)send();  // the alert
    return Next::close;
  }
  if (!was_established && tls_->is_established()) {
    ++world_.counts.tls_sessions;
    step_ends_ = Time::now() + world_.settings.command_time;
  }
  const Next next = plain.empty() ? Next::read : use(plain);
  return tls_->is_closed_by_peer() && next == Next::read ? Next::close : next;
}

Session::Next Session::use(std::string_view input) {
  for (;;) {
    const std::size_t said_before = dialogue_.output().size();
    const bool was_content = dialogue_.in_content();
    const Event event = dialogue_.run(input);
    note_content();
    // The time for a step begins anew only when a step was made: one byte a minute does not keep a session.
    if (dialogue_.in_content() && !was_content)
      step_ends_ = Time::now() + world_.settings.data_time;
    else if (dialogue_.output().size() > said_before)
      step_ends_ = Time::now() + world_.settings.command_time;
    switch (event) {
      case Event::need_input: return Next::read;
      case Event::message:
        pending_ = std::string(input);
        prepare_submission();
        return Next::verdict;
      case Event::start_tls: return start_tls();
      case Event::close:
        if (tls_ && tls_->is_established()) {
          if (!take_output()) return Next::close;
          tls_->close();
        }
        return Next::close;
    }
  }
}

Session::Next Session::start_tls() {
  if (!take_output()) return Next::close;
  dialogue_.tls_started();
  tls_ = std::make_unique<net::TlsServerSession>(world_.identity());
  return Next::read;
}

void Session::prepare_submission() {
  submission_ = Submission{directory_,
                           tenant_,
                           ip_,
                           dialogue_.helo(),
                           tls_ ? tls_->description() : std::string(),
                           dialogue_.is_extended(),
                           dialogue_.take_message()};
}

// Keeps the sum of all content that is being received; beyond it the biggest senders go first.
void Session::note_content() {
  const std::uint64_t now = dialogue_.in_content() ? dialogue_.content_bytes() : 0;
  if (now == noted_content_) return;
  world_.counts.content_bytes += now - noted_content_;
  noted_content_ = now;
  constexpr std::uint64_t big = 1u << 20;
  if (now > big && world_.counts.content_bytes > world_.settings.content_bytes_max)
    dialogue_.give_up("4.3.1", "out of memory, try later");
}

bool Session::take_output() {
  std::string& said = dialogue_.output();
  if (said.empty()) return true;
  if (!tls_) {
    unsent_ += said;
  } else {
    if (!tls_->is_established() || !tls_->send(said)) return false;
    unsent_ += tls_->output();
    tls_->output().clear();
  }
  std::string().swap(said);
  return true;
}

Session::Sent Session::send() {
  if (tls_ && !tls_->output().empty()) {
    unsent_ += tls_->output();
    tls_->output().clear();
  }
  std::string_view rest = unsent_;
  while (!rest.empty()) {
    const ssize_t count = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK) return Sent::lost;
    if (count < 0) break;
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  unsent_ = std::string(rest);  // and frees the buffer of a session that goes idle
  return unsent_.empty() ? Sent::all : Sent::some;
}

void Session::give_up(std::string_view enhanced, std::string_view text) {
  if (verdict_) dialogue_.finish_message(*verdict_);
  dialogue_.give_up(enhanced, text);
  if (!tls_ || tls_->is_established()) (void)take_output();
  (void)send();
}

void Session::expire() {
  give_up("4.4.2", "timeout");
  expired_ = true;
  ::shutdown(socket_, SHUT_RDWR);
}

std::optional<smtp::Reply> Session::refuse_mail(const smtp::MailParameters& mail) {
  if (world_.gate.is_paused()) return smtp::reply(451, "4.3.2", "not accepting mail now; try again later");
  directory_ = world_.directory.current();
  if (!directory_) return smtp::reply(451, "4.3.0", "not ready; try again later");
  if (world_.counts.content_bytes > world_.settings.content_bytes_max)
    return smtp::reply(452, "4.3.1", "too busy; try again later");
  mail_size_ = mail.size;
  return std::nullopt;
}

std::optional<smtp::Reply> Session::refuse_recipient(const smtp::Address& recipient) {
  const Directory::Match match = directory_->find(recipient.local, recipient.domain);
  if (match.known != Directory::Known::yes) {
    ++world_.counts.recipients_refused;
    return match.known == Directory::Known::no_such_domain ? smtp::reply(550, "5.7.1", "relay refused")
                                                           : smtp::reply(550, "5.1.1", "no such recipient");
  }
  const Tenant& tenant = *match.tenant;
  if (tenant.suspended) return smtp::reply(451, "4.3.0", "recipient cannot be served now; try again later");
  // One transaction is one tenant's: its policy decides about the message as a whole.
  if (tenant_ != nullptr && tenant_ != &tenant)
    return smtp::reply(452, "4.5.3", "send to this recipient in a transaction of its own");
  if (tenant.limits.message_bytes_max != 0 && mail_size_ > tenant.limits.message_bytes_max) {
    return smtp::reply(552, "5.3.4", "message size exceeds the limit of the recipient");
  }
  if (tenant.limits.recipients_max != 0 && recipients_ >= tenant.limits.recipients_max)
    return smtp::reply(452, "4.5.3", "too many recipients");
  if (tenant_ == nullptr) {
    if (auto refusal = join_tenant(tenant)) return refusal;
  }
  ++recipients_;
  return std::nullopt;
}

std::optional<smtp::Reply> Session::join_tenant(const Tenant& tenant) {
  const std::uint32_t most =
      tenant.limits.connections_max != 0 ? tenant.limits.connections_max : world_.settings.connections_per_tenant_max;
  if (!world_.gate.enter_tenant(tenant.id, most))
    return smtp::reply(452, "4.3.2", "too many sessions for this recipient's company; try again later");
  tenant_ = &tenant;
  return std::nullopt;
}

void Session::forget_transaction() {
  if (tenant_ != nullptr) world_.gate.leave_tenant(tenant_->id);
  tenant_ = nullptr;
  directory_.reset();
  recipients_ = 0;
  mail_size_ = 0;
}

}  // namespace mailhold::gateway
