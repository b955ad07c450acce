// BackupVerbs: what the command line and apid can ask: mailbox.*, backup.* and restore.*. JSON in, JSON out.
// The verbs and their fields: docs/guide/backup.md. No content of an item is ever in an answer. Any thread.
#pragma once

#include <string>

#include "features/recover/backups.h"

namespace mailhold::recover {

class BackupVerbs {
 public:
  BackupVerbs(Backups& backups, BackupBook& book) : backups_(backups), book_(book) {}
  // invalid_input: not such JSON, or a field is missing. not_found: no such verb, mailbox, folder or restore.
  Result<std::string> answer(std::string_view json, const Deadline& deadline);

 private:
  Backups& backups_;
  BackupBook& book_;
};

}  // namespace mailhold::recover
