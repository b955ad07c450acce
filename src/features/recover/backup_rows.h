// The bytes inside the seals of the backup's rows. Internal to this room.
//
// Design: docs/formats/mailbox_backup.md
#pragma once

#include "base/bytes.h"
#include "features/recover/backup_book.h"

namespace mailhold::recover {

// A u32 number of texts, and the texts: also of reports.
void write_texts(ByteWriter& writer, const std::vector<std::string>& texts);
std::vector<std::string> read_texts(ByteReader& reader);  // a number that cannot be fails the reader
std::string write_mailbox(const Mailbox& mailbox);
Status read_mailbox(std::string_view bytes, Mailbox& mailbox);  // corrupt, as the others
std::string write_folder_row(const FolderRow& folder);
Status read_folder_row(std::string_view bytes, FolderRow& folder);
// Without the folder and the message, which stand beside the row and are bound by its seal.
std::string write_item(const ItemRow& item);
Status read_item(std::string_view bytes, ItemRow& item);
Status read_old_item(std::string_view bytes, ItemRow& item);  // of version 1, which names both: they must be those of `item`

}  // namespace mailhold::recover
