// Supervisor: `mailhold up`. Makes folders, sockets, users and channels, starts every process
// of the topology, starts again what dies, and hands brokerd single-use authd processes.
// Programs that systemd starts (supervisor.attach) it connects to; all else is the same.
//
// It reads nothing from the network and no message; it holds no key.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/supervisor/authd_pool.h"
#include "core/supervisor/topology.h"
#include "platform/ipc/daemon.h"
#include "platform/ipc/server.h"

namespace mailhold::supervisor {

// Methods for brokerd and apid.
inline constexpr std::uint16_t method_new_authd =
    1;  // -> u32 number, one descriptor: the channel on which brokerd calls this authd
inline constexpr std::uint16_t method_end_authd = 2;     // u32 number -> (): it is ended at once
inline constexpr std::uint16_t method_program_hash = 3;  // role -> SHA-256 of the program that runs there, in hex

class Supervisor {
 public:
  // `programs` is the folder of the binaries.
  Supervisor(Settings settings, std::string programs);
  ~Supervisor();

  // Prepares everything and starts all processes; returns when each has said that it is ready, with the names of those that
  // could not start, may come later and are tried again by run(). denied without root, unless all programs are attached.
  // Listening sockets that systemd gave are taken by their names; the others are made.
  Result<std::vector<std::string>> start(const Deadline& deadline);

  // Watches and restarts until stop(); then ends all processes, those that accept mail first.
  void run();
  void stop();  // async-signal-safe

 private:
  struct Process;
  Result<std::unique_ptr<ipc::Channel>> new_process(Process& process);
  Status start_process(Process& process);
  void connect_edges(Process& process);
  void reap();
  void restart_due();
  void take_word(Process& process, std::string_view word);
  void take_words();
  void ended(Process& process, const std::string& how);
  Result<std::string> program_hash(const std::string& role);
  void forget_closed_channels();
  void serve(const std::string& role, ipc::OwnedFd socket);
  void handle(const std::shared_ptr<ipc::Call>& call);
  std::string status_json();
  void end_all();
  void end(Process& process);
  Process* find(const std::string& name);

  const Settings settings_;
  const std::string programs_;
  Topology topology_;  // since start()
  std::int64_t users_first_;
  std::map<std::string, ipc::OwnedFd> listeners_;
  std::mutex mutex_;  // guards all below
  std::vector<std::unique_ptr<Process>> processes_;
  std::unique_ptr<AuthdPool> authd_;
  std::vector<std::pair<std::shared_ptr<ipc::Channel>, std::jthread>> serving_;
  ipc::OwnedFd wake_;  // eventfd: a child ended, or stop
  std::atomic<bool> stopping_ = false;
};

}  // namespace mailhold::supervisor
