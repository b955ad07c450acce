// Zygote: a program that is loaded once and then copied by fork for each time it is needed: a copy costs a small part of what
// loading a program, its libraries and its tables costs. A copy becomes a Daemon like any other.
#pragma once

#include <sys/types.h>

#include <functional>

#include "platform/ipc/channel.h"

namespace mailhold::ipc {

// In the zygote, before its jail: the code of libraries goes onto pages of 2 MiB, as far as it fills them, so that a copy finds
// it at once instead of page by page. What lies between the code, constants and symbols, becomes executable with it; nothing
// is writable and executable at any time. Where the kernel has no such pages or forbids it, all stays as it is.
void put_code_on_huge_pages();

// In the zygote, which must have one thread and the right to change its user. Descriptor 3 is its channel from the supervisor.
// Each request makes a copy that has the request's descriptor as number 3 and else the standard ones only, runs under the
// request's user and group, ends with the zygote, and exits with what `be_daemon` returns. Returns once the supervisor is gone.
// The zygote should have nothing left to prepare: its heap is arranged for what its copies allocate
// (docs/decisions/authd-zygote.md).
void serve_copies(const std::function<int()>& be_daemon);

// In the supervisor.
struct Copy {
  pid_t pid = -1;
  OwnedFd process;  // pidfd: readable once the copy has ended; no other process ever takes its place
};
// `control` becomes the copy's descriptor 3; it stays the caller's here. limit_exceeded: the zygote cannot fork now. After any
// other error the zygote must be ended: its answer may still come, and would be taken for that of the next request.
Result<Copy> make_copy(Channel& zygote, uid_t user, int control, const Deadline& deadline);

}  // namespace mailhold::ipc
