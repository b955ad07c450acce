// The process of an authd: how it comes into its jail, alone or as a copy of a zygote (docs/decisions/authd-zygote.md).
#pragma once

#include <functional>

#include "platform/ipc/daemon.h"

namespace mailhold::broker {

// main() of a program that stands where authd stands; returns its exit code.
//   (no word)   one process, started by systemd for a connection of the supervisor's
//   zygote      what the supervisor starts: it makes copies of itself, each of which is an authd
// `serve` runs in the jail with one thread, the only one there will be, and gives the exit code.
int run_authd(int count, char** words, const std::function<int(ipc::Daemon&)>& serve);

}  // namespace mailhold::broker
