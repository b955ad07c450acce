// ImapMark: how far a folder was read. Internal to this room.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mailhold::mailboxes {

struct ImapMark {
  std::uint32_t uid_validity = 0;  // 0: nothing was read yet
  std::uint32_t uid_last = 0;      // every message up to here was told
  std::uint64_t modseq = 0;        // flags were told up to here; 0: the server has no such thing
  std::uint64_t count = 0;         // messages that were there up to uid_last; to see deletions without a list
  bool is_reading = true;          // uid_last has not reached the end of the folder yet
  bool must_list = true;           // at the end, what is there must be listed: what was known before may be gone
  friend bool operator==(const ImapMark&, const ImapMark&) = default;
};

std::string write_mark(const ImapMark& mark);
// An empty or foreign mark gives a new one: everything will be told again.
ImapMark parse_mark(std::string_view bytes);

// The id of a message: its UID counts only under its UIDVALIDITY.
std::string item_id(std::uint32_t uid_validity, std::uint32_t uid);
// The UID of an id of this UIDVALIDITY; 0 for all others.
std::uint32_t uid_of(std::string_view id, std::uint32_t uid_validity);

}  // namespace mailhold::mailboxes
