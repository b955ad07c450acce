// CheckVerbs: what the command line and apid can ask of checks: backup.check, backup.check-report. JSON in, JSON out;
// docs/guide/backup.md. Any thread.
#pragma once

#include <string>

#include "features/recover/checks.h"

namespace mailhold::recover {

class CheckVerbs {
 public:
  CheckVerbs(Checks& checks, BackupBook& book) : checks_(checks), book_(book) {}
  static bool knows(std::string_view verb);
  // invalid_input: not such JSON, or a field is missing; else as Checks.
  Result<std::string> answer(std::string_view json, const Deadline& deadline);

 private:
  Checks& checks_;
  BackupBook& book_;
};

}  // namespace mailhold::recover
