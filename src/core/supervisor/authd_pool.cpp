#include "core/supervisor/authd_pool.h"

#include <signal.h>

#include "base/log.h"
#include "core/supervisor/attachment.h"
#include "core/supervisor/spawn.h"
#include "platform/ipc/daemon.h"

namespace mailhold::supervisor {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr std::size_t pool_size = 3;
constexpr auto rest_after_failure = 1s;

Deadline soon() { return Deadline::after(5s); }

}  // namespace

AuthdPool::AuthdPool(const Settings& settings, Program program, std::string programs,
                     std::function<void(int keyd_end)> give_to_keyd)
    : settings_(settings), program_(std::move(program)), programs_(std::move(programs)), give_to_keyd_(std::move(give_to_keyd)) {}

// One in a unit of its own sees the end of its channel and ends.
void AuthdPool::Authd::end() const {
  if (pid > 0)
    ::kill(pid, SIGKILL);
  else
    control->close();
}

Result<AuthdPool::Authd> AuthdPool::start_process() {
  if (program_.attached) {
    ASSIGN_OR_RETURN(ipc::OwnedFd connection, attach(settings_, program_));
    return Authd{-1, std::make_unique<ipc::Channel>(std::move(connection)), {}};
  }
  ASSIGN_OR_RETURN(auto control, ipc::Channel::socket_pair());
  next_user_ = (next_user_ + 1) % authd_users;
  const auto user = static_cast<uid_t>(settings_.number("mailhold.users_first") + program_.user + next_user_);
  ASSIGN_OR_RETURN(const pid_t pid,
                   spawn({programs_ + "/" + program_.binary, {}, user, program_.network, control.second.get(), program_.nice}));
  return Authd{pid, std::make_unique<ipc::Channel>(std::move(control.first)), {}};
}

// Its channels: brokerd calls it, it calls keyd.
Status AuthdPool::start() {
  ASSIGN_OR_RETURN(auto job, ipc::Channel::socket_pair());
  ASSIGN_OR_RETURN(auto keys, ipc::Channel::socket_pair());
  ASSIGN_OR_RETURN(Authd authd, start_process());
  authd.broker_end = std::move(job.first);
  const int job_end[] = {job.second.get()};
  const int key_end[] = {keys.first.get()};
  ipc::StartMessage start;
  start.settings = settings_.values();
  RETURN_IF_ERROR(authd.control->send(start.encode(), soon()));
  RETURN_IF_ERROR(authd.control->send(ipc::encode_peer("brokerd", ipc::Side::serves), job_end, soon()));
  RETURN_IF_ERROR(authd.control->send(ipc::encode_peer("keyd", ipc::Side::calls), key_end, soon()));
  RETURN_IF_ERROR(authd.control->send(ipc::encode_go(), soon()));
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
  forget_closed();
  if (waiting_.empty()) fill();
  if (waiting_.empty()) return Error{ErrorKind::unavailable, "no authd could be started"};
  Authd authd = std::move(waiting_.front());
  waiting_.pop_front();
  Taken taken{next_number_++, std::move(authd.broker_end)};
  working_[taken.number] = std::move(authd);
  fill();
  return taken;
}

Status AuthdPool::end(std::uint32_t number) {
  const auto found = working_.find(number);
  if (found == working_.end()) return Error{ErrorKind::not_found, "no such authd at work"};
  found->second.end();
  return done();
}

bool AuthdPool::forget(pid_t pid) {
  const auto is_it = [&](const Authd& authd) { return authd.pid == pid; };
  return std::erase_if(working_, [&](const auto& each) { return is_it(each.second); }) + std::erase_if(waiting_, is_it) > 0;
}

void AuthdPool::forget_closed() {
  const auto is_gone = [](const Authd& authd) { return authd.pid < 0 && has_closed(*authd.control); };
  std::erase_if(working_, [&](const auto& each) { return is_gone(each.second); });
  std::erase_if(waiting_, is_gone);
}

void AuthdPool::end_waiting() {
  for (const Authd& authd : waiting_) authd.end();
}

void AuthdPool::end_all() {
  end_waiting();
  for (const auto& [number, authd] : working_) authd.end();
}

}  // namespace mailhold::supervisor
