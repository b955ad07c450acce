// RetentionVerbs: what the command line and apid can ask of retention and holds: retention.show, retention.simulate,
// retention.run, hold.list. JSON in, JSON out; docs/guide/retention.md. They are changed by signed operations to brokerd. Any
// thread.
#pragma once

#include <string>

#include "features/recover/retention.h"

namespace mailhold::recover {

class RetentionVerbs {
 public:
  RetentionVerbs(Retention& retention, BackupRules& rules, BackupBook& book, const Clock& clock)
      : retention_(retention), rules_(rules), book_(book), clock_(clock) {}
  static bool knows(std::string_view verb);
  // invalid_input: not such JSON, or a field is missing. not_found: no such verb.
  Result<std::string> answer(std::string_view json, const Deadline& deadline);

 private:
  Retention& retention_;
  BackupRules& rules_;
  BackupBook& book_;
  const Clock& clock_;
};

}  // namespace mailhold::recover
