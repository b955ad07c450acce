// What the supervisor prepares as root before it starts anybody: folders with their owners
// and the listening sockets.
#pragma once

#include <map>
#include <string>

#include "core/supervisor/topology.h"
#include "platform/ipc/channel.h"

namespace mailhold::supervisor {

// Makes data/<name> where it is missing and sets owner, group and mode; never touches what is inside. The folders of
// attached programs come with their units.
Status make_folders(const Topology& topology, const std::string& data, std::int64_t users_first);

// Bound and listening. A stale unix socket file is replaced. The error names the address.
Result<ipc::OwnedFd> listen_on(const std::string& address);

}  // namespace mailhold::supervisor
