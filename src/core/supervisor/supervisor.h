// Supervisor: `mailhold up`. Makes folders, sockets, users and channels, starts every process
// of the topology, starts again what dies, and hands brokerd single-use authd processes.
//
// It reads nothing from the network and no message; it holds no key.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/supervisor/topology.h"
#include "platform/ipc/daemon.h"
#include "platform/ipc/server.h"

namespace mailhold::supervisor {

// Methods for brokerd and apid.
inline constexpr std::uint16_t method_new_authd =
    1;  // -> u32 process, one descriptor: the channel on which brokerd calls this authd
inline constexpr std::uint16_t method_end_authd = 2;     // u32 process -> (): it is killed
inline constexpr std::uint16_t method_program_hash = 3;  // role -> SHA-256 of the program that runs there, in hex

class Supervisor {
 public:
  // `programs` is the folder of the binaries. Needs root.
  Supervisor(Settings settings, std::string programs);
  ~Supervisor();

  // Prepares everything and starts all processes; returns when each has said that it is ready.
  Status start(const Deadline& deadline);

  // Watches and restarts until stop(); then ends all processes, those that accept mail first.
  void run();
  void stop();  // async-signal-safe

 private:
  struct Process;
  Status start_process(Process& process);
  void connect_edges(Process& process);
  void reap();
  void restart_due();
  void fill_authd_pool();
  struct TakenAuthd {
    std::uint32_t process = 0;
    ipc::OwnedFd broker_end;
  };
  Result<TakenAuthd> take_authd();
  Status end_authd(std::uint32_t process);
  Result<std::string> program_hash(const std::string& role);
  Status start_authd();
  void forget_closed_channels();
  void serve(const std::string& role, ipc::OwnedFd socket);
  void handle(const std::shared_ptr<ipc::Call>& call);
  std::string status_json();
  void end_all();
  Process* find(const std::string& name);

  const Settings settings_;
  const std::string programs_;
  const Topology topology_;
  std::int64_t users_first_;
  std::map<std::string, ipc::OwnedFd> listeners_;
  std::mutex mutex_;  // guards all below
  std::vector<std::unique_ptr<Process>> processes_;
  struct Authd {
    pid_t pid;
    std::unique_ptr<ipc::Channel> control;
    ipc::OwnedFd broker_end;  // until brokerd has taken it
  };
  std::deque<Authd> authd_waiting_;
  std::map<pid_t, Authd> authd_working_;
  int next_authd_user_ = 0;
  std::vector<std::pair<std::shared_ptr<ipc::Channel>, std::jthread>> serving_;
  ipc::OwnedFd wake_;  // eventfd: a child ended, or stop
  std::atomic<bool> stopping_ = false;
};

}  // namespace mailhold::supervisor
