#include "core/supervisor/authd_pool.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tuple>

#include "base/log.h"
#include "core/supervisor/attachment.h"
#include "core/supervisor/spawn.h"
#include "platform/ipc/daemon.h"
#include "platform/ipc/zygote.h"
#include "platform/net/wait.h"

namespace mailhold::supervisor {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr std::size_t pool_size = 6;  // so many sessions can begin at once
constexpr auto rest_after_failure = 1s;

Deadline soon() { return Deadline::after(5s); }

}  // namespace

AuthdPool::AuthdPool(const Settings& settings, Program program, std::string programs,
                     std::function<void(int keyd_end)> give_to_keyd)
    : settings_(settings), program_(std::move(program)), programs_(std::move(programs)), give_to_keyd_(std::move(give_to_keyd)) {}

// One in a unit of its own sees the end of its channel and ends.
void AuthdPool::Authd::end() const {
  if (process.is_open())
    ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
  else
    control->close();
}

bool AuthdPool::Authd::has_ended() const {
  if (!process.is_open()) return has_closed(*control);
  return bool(net::wait_until(process.get(), net::Ready::to_read, Deadline::after(0s)));
}

Status AuthdPool::start_zygote() {
  ASSIGN_OR_RETURN(auto ends, ipc::Channel::socket_pair());
  const uid_t root = 0;  // of its rights it keeps those to change users
  ASSIGN_OR_RETURN(
      zygote_pid_,
      spawn({programs_ + "/" + program_.binary, {"zygote"}, root, program_.network, ends.second.get(), program_.nice}));
  zygote_ = std::make_unique<ipc::Channel>(std::move(ends.first));
  return done();
}

// Another one is started when this one has been waited for.
void AuthdPool::end_zygote() {
  if (zygote_pid_ > 0) ::kill(zygote_pid_, SIGKILL);
}

// A copy of the zygote whose end of the control channel is `control`.
Result<ipc::OwnedFd> AuthdPool::copy_zygote(const ipc::OwnedFd& control) {
  if (!zygote_) RETURN_IF_ERROR(start_zygote());
  next_user_ = (next_user_ + 1) % authd_users;
  const auto user = static_cast<uid_t>(settings_.number("mailhold.users_first") + program_.user + next_user_);
  Result<ipc::Copy> copy = ipc::make_copy(*zygote_, user, control.get(), soon());
  if (copy) return std::move(copy->process);
  if (copy.error().kind != ErrorKind::limit_exceeded) end_zygote();
  return copy.error();
}

// Its channels: brokerd calls it, it calls keyd. A copy finds its whole start in its channel, so that it waits for none of it.
Status AuthdPool::start() {
  ASSIGN_OR_RETURN(auto job, ipc::Channel::socket_pair());
  ASSIGN_OR_RETURN(auto keys, ipc::Channel::socket_pair());
  ipc::OwnedFd ours, of_copy;
  if (program_.attached) {
    ASSIGN_OR_RETURN(ours, attach(settings_, program_));
  } else {
    ASSIGN_OR_RETURN(std::tie(ours, of_copy), ipc::Channel::socket_pair());
  }
  Authd authd{{}, std::make_unique<ipc::Channel>(std::move(ours)), std::move(job.first)};
  const int job_end[] = {job.second.get()};
  const int key_end[] = {keys.first.get()};
  RETURN_IF_ERROR(authd.control->send(ipc::StartMessage().encode(), soon()));  // it needs no settings
  RETURN_IF_ERROR(authd.control->send(ipc::encode_peer("brokerd", ipc::Side::serves), job_end, soon()));
  RETURN_IF_ERROR(authd.control->send(ipc::encode_peer("keyd", ipc::Side::calls), key_end, soon()));
  RETURN_IF_ERROR(authd.control->send(ipc::encode_go(), soon()));
  if (!program_.attached) {
    ASSIGN_OR_RETURN(authd.process, copy_zygote(of_copy));
  }
  give_to_keyd_(keys.second.get());
  waiting_.push_back(std::move(authd));
  return done();
}

void AuthdPool::fill() {
  if (Steady::now() < rest_until_) return;
  while (waiting_.size() < pool_size) {
    if (const Status started = start(); !started) {
      log_error("supervisor", "starting authd: " + started.error().detail);
      rest_until_ = Steady::now() + rest_after_failure;
      return;
    }
  }
}

Result<AuthdPool::Taken> AuthdPool::take() {
  forget_ended();
  if (waiting_.empty()) fill();
  if (waiting_.empty()) return Error{ErrorKind::unavailable, "no authd could be started"};
  Authd authd = std::move(waiting_.front());
  waiting_.pop_front();
  Taken taken{next_number_++, std::move(authd.broker_end)};
  working_[taken.number] = std::move(authd);
  return taken;
}

Status AuthdPool::end(std::uint32_t number) {
  const auto found = working_.find(number);
  if (found == working_.end()) return Error{ErrorKind::not_found, "no such authd at work"};
  found->second.end();
  return done();
}

bool AuthdPool::forget_zygote(pid_t pid) {
  if (pid != zygote_pid_) return false;
  log_warning("supervisor", "the zygote of authd ended");
  zygote_pid_ = -1;
  zygote_.reset();
  return true;
}

void AuthdPool::forget_ended() {
  std::erase_if(working_, [](const auto& each) { return each.second.has_ended(); });
  std::erase_if(waiting_, [](const Authd& each) { return each.has_ended(); });
}

void AuthdPool::end_waiting() {
  for (const Authd& authd : waiting_) authd.end();
}

void AuthdPool::end_all() {
  end_waiting();
  for (const auto& [number, authd] : working_) authd.end();
  end_zygote();
}

}  // namespace mailhold::supervisor
