// The layers that sandbox.cpp puts on, one function each.
#pragma once

#include "platform/sandbox/sandbox.h"

namespace mailhold::sandbox {

Status restrict_process(const Profile& profile);  // privileges, core files, limits
Status restrict_files(const Profile& profile);    // Landlock
Status restrict_calls(const Profile& profile);    // seccomp, all threads

bool has(const Profile& profile, Right right);

}  // namespace mailhold::sandbox
