// Whether two contents of calendars or address books mean the same: asked by workerd when a server gives back other bytes than
// were restored. A pure function; like scan_message it runs in a jailed worker of the tenant, because contents are hostile.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"

namespace mailhold::scanning {

enum class ComparedForm : std::uint8_t { icalendar = 1, vcard = 2 };

inline constexpr std::size_t compared_bytes_max = 16U << 20;  // of each content

struct CompareRequest {
  Id tenant;
  ComparedForm form = ComparedForm::icalendar;
  std::string_view backed_up, there;  // must outlive the call
};

struct Comparison {
  bool is_readable = true;  // both could be read; else nothing is said of them
  bool is_equal = false;
  std::vector<std::string> differences;  // "VEVENT.RRULE": in what; at most 16
};

// Never fails.
Comparison compare_contents(const CompareRequest& request);

}  // namespace mailhold::scanning
