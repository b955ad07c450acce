// Retention rules of a test, and what was reported to the ledger. For the tests of features/recover.
#pragma once

#include "features/recover/retention.h"

namespace mailhold::recover {

class TestRules final : public BackupRules {
 public:
  Result<access::Keeping> of(Id, const Deadline&) override {
    if (is_away) return Error{ErrorKind::unavailable, "brokerd is away"};
    return keeping;
  }
  Status report(Id, Id mailbox, const std::string& type, const std::map<std::string, std::uint64_t>& counts,
                const Deadline&) override {
    if (is_away) return Error{ErrorKind::unavailable, "brokerd is away"};
    reports.emplace_back(type, counts);
    if (type == "mailbox.removed") std::erase_if(keeping.removals, [&](const auto& each) { return each.mailbox == mailbox; });
    return done();
  }
  bool is_away = false;
  access::Keeping keeping;
  std::vector<std::pair<std::string, std::map<std::string, std::uint64_t>>> reports;
};

}  // namespace mailhold::recover
