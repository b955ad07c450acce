// Daemon: what a program of ours is given by the supervisor, over descriptor 3: its settings,
// listening sockets, folders and the channels to its peers. A program opens no socket of
// its own towards our other processes: who may talk to whom is the supervisor's list.
//
//   int main() {
//     auto daemon = Daemon::start("keyd");              // no threads yet
//     KeyService service(daemon->directory("keystore"));
//     sandbox::enter(...);                              // while there are no threads
//     return daemon->run([&](auto& call) { service.handle(call); });
//   }
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platform/ipc/channel.h"
#include "platform/ipc/client.h"
#include "platform/ipc/server.h"

namespace mailhold::ipc {

// What the supervisor sends. One frame each; the first byte says which.
struct StartMessage {
  std::map<std::string, std::string> settings;     // "gateway.smtp" -> value
  std::map<std::string, std::string> directories;  // "spool" -> path
  std::vector<std::string> listeners;              // names; the descriptors come in the same order
  std::string encode() const;
  static Result<StartMessage> parse(std::string_view bytes);
};
enum class Side : std::uint8_t { calls = 1, serves = 2 };
std::string encode_peer(std::string_view role, Side side);  // with one descriptor
std::string encode_go();
std::string encode_stop();
// The program's one word to the supervisor: it serves, as this process. What a program in a unit of its own says of its number
// is for people to read; nothing is decided by it.
std::string encode_ready(std::int64_t process);
std::optional<std::int64_t> parse_ready(std::string_view bytes);

// How many threads a program has: as many as it is given to work with, or the one it began with, which costs a process that
// lives for one piece of work much less.
enum class Threads { many, one };

class Daemon {
 public:
  // Ends the process with a clear line if descriptor 3 is not a supervisor's channel. That is one end of a pair where the
  // supervisor has started the program, and its connection (unit_socket.h) where systemd has.
  static std::unique_ptr<Daemon> start(std::string_view program_name, Threads threads = Threads::many);

  const std::map<std::string, std::string>& settings() const { return start_.settings; }
  const std::map<std::string, std::string>& directories() const { return start_.directories; }
  // Ends the process with a clear line if the supervisor gave none of that name.
  std::string directory(const std::string& name) const;
  OwnedFd listener(const std::string& name);
  bool has_listener(const std::string& name) const { return listeners_.contains(name); }

  // Calls to the peer of that role; the same object through all restarts of the peer.
  std::shared_ptr<Client> peer(const std::string& role);

  // Serves calls from all peers on `workers` threads until the supervisor says stop or goes
  // away. Says "ready" to the supervisor first. Returns the exit code.
  int run(Handler handler, int workers = 8);
  // With Threads::one, in a program with one peer that calls it: serves that peer's calls, each when the one before it has been
  // served, until the peer is gone or stop(). In a unit of its own it ends when the supervisor does; elsewhere whoever started
  // it sees to that. Calls to peers are made from the handler.
  int run_alone(const Handler& handler);
  void stop();  // from any thread: makes run() or run_alone() return

 private:
  explicit Daemon(Threads threads) : threads_(threads) {}
  void take_peer(std::string_view role, Side side, OwnedFd socket);
  Status take(Frame frame, bool& go, bool& stop);
  struct Serving;

  const Threads threads_;
  bool is_unit_ = false;  // started by systemd
  std::shared_ptr<Channel> control_;
  StartMessage start_;
  std::map<std::string, OwnedFd> listeners_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Client>> clients_;                 // guarded by mutex_
  std::vector<std::pair<std::string, std::shared_ptr<Channel>>> waiting_;  // to be served once run() starts
  std::stop_source stop_;
};

}  // namespace mailhold::ipc
