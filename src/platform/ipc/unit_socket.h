// Unit sockets: the way between the supervisor and a program that systemd starts in a unit of its own. systemd holds a unix
// socket for each program (Accept=yes); a connection of the supervisor's starts one process, and is its control channel.
//
// Design: systemd.socket(5), sd_listen_fds(3), docs/decisions/units.md
#pragma once

#include <map>
#include <string>

#include "platform/ipc/channel.h"

namespace mailhold::ipc {

// The supervisor's side. unavailable: nobody listens there, or too many connections wait. denied: the socket is not root's,
// so that whoever answers was not started by systemd.
Result<OwnedFd> connect_to_unit(const std::string& path);

// The program's side: whether systemd started this process for one connection, which is descriptor 3.
bool is_started_by_unit();

// denied unless the socket is open to its owner alone, and its owner or root has connected.
Status check_unit_connection(int connection);

// Listening sockets that systemd holds and gave to this process, by the FileDescriptorName= of their units. They do
// not block. Once.
std::map<std::string, OwnedFd> take_unit_listeners();

}  // namespace mailhold::ipc
