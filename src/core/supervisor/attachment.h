// Attachment: how the supervisor reaches a program that systemd starts. Its connection to the program's socket starts one process
// and is that process's control channel; when either side closes it, the other ends or starts anew.
#pragma once

#include "core/settings/settings.h"
#include "core/supervisor/topology.h"
#include "platform/ipc/channel.h"

namespace mailhold::supervisor {

// The control channel of a new process. The error names the socket and the unit that should hold it.
Result<ipc::OwnedFd> attach(const Settings& settings, const Program& program);

// Whether the other side of a channel is gone; what it said before can still be read.
bool has_closed(const ipc::Channel& channel);
// Whether a frame, or a part of one, is there.
bool has_words(const ipc::Channel& channel);

}  // namespace mailhold::supervisor
