// The layers that sandbox.cpp puts on, one function each.
#pragma once

#include <linux/filter.h>

#include "platform/sandbox/sandbox.h"

namespace mailhold::sandbox {

Status restrict_process(const Profile& profile);  // privileges, core files, limits
Status restrict_files(const Profile& profile);    // Landlock

// seccomp: the filter of a profile, and what puts it on all threads of the process.
struct CallFilter {
  std::vector<sock_filter> program;
};
Result<CallFilter> make_call_filter(const Profile& profile);
// Ends what a process in `zygote` may call and one in `copy` may not; on top of the filter of `zygote` it makes that of `copy`.
// bug: `copy` differs in more than the rights to fork, to have threads, to tighten and to change users.
Result<CallFilter> make_call_filter_of_copies(const Profile& copy, const Profile& zygote);
Status restrict_calls(const CallFilter& filter);

bool has(const Profile& profile, Right right);

}  // namespace mailhold::sandbox
