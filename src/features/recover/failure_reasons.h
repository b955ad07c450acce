// What people are told where a sync or a restore did not come to its end: why, and what to do. Internal to this room.
#pragma once

#include <string>

#include "base/result.h"
#include "features/recover/restore.h"

namespace mailhold::recover {

// Why a session did not come about.
std::string reason_without_session(const Error& error);
// With the server's own words, where it said some: they are sealed with the mailbox's row.
std::string reason_of_sync(const Error& error);
std::string reason_of_restore(const Error& error);
// With its moment, since the mailbox may have been synced meanwhile as it is now.
std::string how_to_sign_again(const RestoreRequest& request);

}  // namespace mailhold::recover
