// The worker: a copy of the zygote that reads the mail, or the calendars and contacts, of one tenant, and nothing else. It has
// one socket, no files and no network; it asks for DNS answers, links and clamd over that socket.
#pragma once

#include <cstdint>
#include <functional>

#include "base/id.h"
#include "base/result.h"
#include "platform/ipc/channel.h"

namespace mailhold::scanning {

struct WorkerSettings {
  std::chrono::seconds cpu_max{5};   // for one message; the process ends when it is used up
  std::uint32_t messages_max = 256;  // then the worker ends, so that nothing can pile up in it
};

// Serves scans and comparisons until the channel closes or the worker is used up; the caller ends the process then. A message of
// another tenant, or a frame out of place, ends it at once.
void serve_worker(ipc::OwnedFd socket, const Id& tenant, const WorkerSettings& settings);

}  // namespace mailhold::scanning
