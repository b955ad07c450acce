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
Status restrict_calls(const CallFilter& filter);

bool has(const Profile& profile, Right right);

}  // namespace mailhold::sandbox
