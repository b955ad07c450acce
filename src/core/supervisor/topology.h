// Topology: which processes there are, what each is given, and who may talk to whom. The
// one list the supervisor starts from; nothing a process does can change it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "core/settings/settings.h"

namespace mailhold::supervisor {

enum class Network { host, none };  // none: a network namespace of its own without any interface

struct Program {
  std::string name;    // role: "gatewayd-in"
  std::string binary;  // file beside `mailhold` itself
  std::vector<std::string> arguments;
  Network network = Network::none;
  int user = 0;           // added to the setting mailhold.users_first; group likewise
  int nice = 0;           // gives way to the others when the processors are full: setpriority(2), 0 to 19
  bool attached = false;  // started by systemd in a unit of its own, which gives it all of the above; the supervisor connects
  // Mail is accepted without it: where it cannot start, as on a disk that is full or read-only, the others go on, and it is
  // tried again.
  bool may_come_later = false;
};

// The folder data/<name>, made with this owner, group and mode.
struct Folder {
  std::string name;
  std::string owner;  // program
  std::string group;  // program; owner's if empty
  unsigned mode = 0700;
  std::vector<std::string> given_to;
};

struct Listener {
  std::string name;  // as the program asks for it: "smtp"
  std::string program;
  std::string address;  // "127.0.0.1:25", "[::1]:25" or the path of a unix socket
};

struct Edge {
  std::string caller;
  std::string server;  // "supervisor" stands for the supervisor itself
};

struct Topology {
  std::vector<Program> programs;  // in starting order
  // The single-use processes that speak to a tenant's server; started on demand for brokerd, which calls them, while each
  // calls keyd. Every instance has a user id of its own: the next of authd_users, or one that systemd makes up.
  Program authd;
  std::vector<Folder> folders;
  std::vector<Listener> listeners;
  std::vector<Edge> edges;
};

// invalid_input: supervisor.attach names a program that there is not.
Result<Topology> topology_of(const Settings& settings);

inline constexpr int authd_users = 1000;

const Program* program_of(const Topology& topology, const std::string& name);  // null: there is none

// Whether the supervisor starts no program itself, and so needs no right of root's.
bool is_all_attached(const Topology& topology);

}  // namespace mailhold::supervisor
