// What people are told where a sync or a restore did not come to its end: why, and what to do. Internal to this room.
#pragma once

#include <string>

#include "base/result.h"
#include "features/recover/mailbox_sync.h"
#include "features/recover/restore.h"

namespace mailhold::recover {

// Why a session did not come about.
std::string reason_without_session(const Error& error);
// With the server's own words, where it said some: they are sealed with the mailbox's row.
std::string reason_of_sync(const Error& error);
// Why a sync that came to its end is not all there is to have; empty if it is.
std::string reason_of_progress(const SyncProgress& progress);
// The why of FolderTrouble: a folder that is listed and refused, one that is listed no more and refused, items that are counted
// and not named, items that can't be kept, and most of a mailbox that is there no more.
std::string refused_folder(const Error& error);
std::string vanished_and_refused(const Error& error);
std::string unnamed_items(std::uint64_t count);
std::string items_not_kept(std::uint64_t count);
std::string most_vanished(std::uint64_t folders, std::uint64_t all_folders, std::uint64_t items, std::uint64_t all_items);
std::string reason_of_restore(const Error& error);
// With its moment, since the mailbox may have been synced meanwhile as it is now.
std::string how_to_sign_again(const RestoreRequest& request);

}  // namespace mailhold::recover
