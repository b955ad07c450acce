// AuthdPool: the single-use authd processes, those that wait for brokerd and those at work. Each is a copy of a zygote under a
// user of its own (docs/decisions/authd-zygote.md), or started by systemd for a connection of the supervisor's.
//
// Not for several threads at once: the supervisor's lock guards it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/settings/settings.h"
#include "core/supervisor/topology.h"
#include "platform/ipc/channel.h"

namespace mailhold::supervisor {

class AuthdPool {
 public:
  // `give_to_keyd` hands keyd its end of the channel of a new authd.
  AuthdPool(const Settings& settings, Program program, std::string programs, std::function<void(int keyd_end)> give_to_keyd);

  struct Taken {
    std::uint32_t number = 0;
    ipc::OwnedFd broker_end;
  };
  Result<Taken> take();              // unavailable: none could be started
  Status end(std::uint32_t number);  // at once. not_found unless it was taken
  void fill();
  bool forget_zygote(pid_t pid);  // a child of ours that ended: whether it was the zygote; its copies end with it
  void forget_ended();
  void end_waiting();  // what they hold leads to a keyd that is gone
  void end_all();
  std::size_t waiting() const { return waiting_.size(); }
  std::size_t working() const { return working_.size(); }

 private:
  struct Authd {
    ipc::OwnedFd process;  // pidfd; none: in a unit of its own, where it ends with its channel
    std::unique_ptr<ipc::Channel> control;
    ipc::OwnedFd broker_end;  // until brokerd has taken it
    void end() const;
    bool has_ended() const;
  };
  Status start_zygote();
  void end_zygote();
  Status start();
  Result<ipc::OwnedFd> copy_zygote(const ipc::OwnedFd& control);  // its pidfd

  const Settings& settings_;
  const Program program_;
  const std::string programs_;
  const std::function<void(int)> give_to_keyd_;
  std::deque<Authd> waiting_;
  std::map<std::uint32_t, Authd> working_;
  std::uint32_t next_number_ = 1;
  int next_user_ = 0;
  pid_t zygote_pid_ = -1;
  std::unique_ptr<ipc::Channel> zygote_;                // none: not running
  std::chrono::steady_clock::time_point rest_until_{};  // after a start that failed
};

}  // namespace mailhold::supervisor
