// What it means that an item at a server is the one that was backed up. Internal to this room.
#pragma once

#include "features/recover/backup_book.h"

namespace mailhold::recover {

// The flags that are put back: \Deleted is not one of them.
std::vector<std::string> restorable(std::vector<std::string> flags);

// In what an item at the server differs from the one that was backed up; empty if in nothing. `content` says in what
// its content does; empty if in nothing.
std::string difference(const ItemRow& item, const mailboxes::ItemHead& head, const std::string& content, bool compares_flags);

}  // namespace mailhold::recover
