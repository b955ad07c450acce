// BackupVerbs: what the command line and apid can ask: mailbox.*, backup.* and restore.*. JSON in, JSON out.
// The verbs and their fields: docs/guide/backup.md. No content of an item is ever in an answer. Any thread.
#pragma once

#include <string>

#include "features/recover/backups.h"

namespace mailhold::recover {

class BackupVerbs {
 public:
  // `find`: the items of a restore by a query.
  BackupVerbs(Backups& backups, BackupBook& book, Backups::FindItems find)
      : backups_(backups), book_(book), find_(std::move(find)) {}
  // invalid_input: not such JSON, or a field is missing. not_found: no such verb, mailbox, folder or restore.
  Result<std::string> answer(std::string_view json, const Deadline& deadline);

 private:
  Backups& backups_;
  BackupBook& book_;
  const Backups::FindItems find_;
};

}  // namespace mailhold::recover
