// Whether two contents mean the same, for items that a server writes anew when it stores them. Contents are hostile, so that
// whoever does it is in a jail: scannerd's workers in programs (docs/flows/restore.md).
#pragma once

#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/id.h"
#include "base/result.h"
#include "features/mailboxes/mailbox.h"

namespace mailhold::recover {

// The bytes at the server are others, and say the same.
inline constexpr std::string_view equal_in_meaning = "equal in meaning";

struct Meaning {
  bool is_equal = false;
  std::string differences;  // "VEVENT.RRULE, VEVENT.SUMMARY": in what, for people; or why they could not be compared
};

class MeaningComparer {
 public:
  virtual ~MeaningComparer() = default;
  // unavailable, timed_out: nobody can compare them now. A form that is never compared so is not equal.
  virtual Result<Meaning> compare(Id tenant, mailboxes::ContentForm form, std::string_view backed_up, std::string_view there,
                                  const Deadline& deadline) = 0;
};

}  // namespace mailhold::recover
