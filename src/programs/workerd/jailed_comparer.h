// Contents that a server wrote anew, compared by what they mean.
#pragma once

#include "features/recover/meaning_comparer.h"
#include "features/scanning/scanner_pool.h"

namespace mailhold::worker {

// Contents are compared where they are scanned: in a jail of the tenant's.
class JailedComparer final : public recover::MeaningComparer {
 public:
  explicit JailedComparer(scanning::ScannerPool& pool) : pool_(pool) {}
  Result<recover::Meaning> compare(Id tenant, mailboxes::ContentForm form, std::string_view backed_up, std::string_view there,
                                   const Deadline& deadline) override {
    if (std::max(backed_up.size(), there.size()) > scanning::compared_bytes_max)
      return recover::Meaning{false, "too large to be compared by meaning"};
    const auto compared =
        form == mailboxes::ContentForm::vcard ? scanning::ComparedForm::vcard : scanning::ComparedForm::icalendar;
    ASSIGN_OR_RETURN(const scanning::Comparison found, pool_.compare({tenant, compared, backed_up, there}, deadline));
    recover::Meaning meaning{found.is_equal, found.is_readable ? "" : "cannot be compared by meaning"};
    for (const std::string& name : found.differences) meaning.differences += (meaning.differences.empty() ? "" : ", ") + name;
    return meaning;
  }

 private:
  scanning::ScannerPool& pool_;
};

}  // namespace mailhold::worker
