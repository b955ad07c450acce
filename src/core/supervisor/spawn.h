// spawn: starts one program under its own user, in its own namespaces, with nothing open but
// standard error and its control channel as descriptor 3.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "core/supervisor/topology.h"

namespace mailhold::supervisor {

struct Spawn {
  std::string binary;  // path
  std::vector<std::string> arguments;
  uid_t user = 0;
  Network network = Network::none;
  int control = -1;  // becomes descriptor 3
  int nice = 0;      // as in Program
};

// The child's process id. It ends with the supervisor (parent-death signal).
Result<pid_t> spawn(const Spawn& spawn);

}  // namespace mailhold::supervisor
