// The words in which the parts of the book ask for rows of backup_items, called i. Internal to this room.
#pragma once

#include <string>

namespace mailhold::recover {

// For BackupBook::open_item. Rows name their folder by its number.
inline const std::string item_columns =
    "i.item, i.since, i.until, (SELECT f.folder FROM backup_folders f WHERE f.number = i.folder), i.message, i.day, i.sealed";
inline const std::string select_items = "SELECT " + item_columns + " FROM backup_items i ";
// The folder, or the mailbox, with the id $1.
inline const std::string in_folder = "folder = (SELECT f.number FROM backup_folders f WHERE f.folder = $1)";
inline const std::string in_mailbox = "i.folder IN (SELECT f.number FROM backup_folders f WHERE f.mailbox = $1)";
// Rows with that content; the index has the first bytes of its id.
inline std::string has_message(const std::string& message, const std::string& wanted) {
  return "substr(" + message + ", 1, 8) = substr(" + wanted + ", 1, 8) AND " + message + " = " + wanted;
}

}  // namespace mailhold::recover
