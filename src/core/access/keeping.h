// Keeping: what is kept of a tenant's backups and for how long: retention rules, holds, and orders to remove a mailbox. brokerd
// owns it and changes it by signed operations only; workerd asks for it and deletes nothing without it.
//
// Days count from the moment an item, or a version of it, left the mailbox. A hold beats every rule.
// Bytes: docs/formats/keeping.md. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "core/access/operation.h"

namespace mailhold::access {

// Types of items are numbers as docs/formats/mailbox_backup.md has them: 1 mail to 5 note.
inline constexpr std::string_view item_types[] = {"mail", "event", "contact", "task", "note"};
std::string_view item_type_name(std::uint8_t type);        // "mail"; "all" for 0; "?" for what is none
Result<std::uint8_t> item_type_of(std::string_view name);  // invalid_input

inline constexpr std::uint32_t retention_days_max = 36'135;  // 99 years
inline constexpr std::size_t rules_max = 10'000;
inline constexpr std::size_t holds_max = 1'000;
inline constexpr std::size_t removals_max = 10'000;
inline constexpr std::size_t hold_list_max = 1'000;
inline constexpr std::size_t hold_text_bytes_max = 1'024;

struct RetentionRule {
  Id mailbox;              // none: every mailbox of the tenant
  std::uint8_t type = 0;   // 0: every type
  std::uint32_t days = 0;  // 0: for ever
  friend bool operator==(const RetentionRule&, const RetentionRule&) = default;
};

// An item is held if it fits everything that is said. What is empty says nothing.
struct Hold {
  Id id{};
  std::string name{};
  std::string reason{};
  std::vector<Id> mailboxes{};
  std::vector<std::uint8_t> types{};
  Milliseconds from = 0;  // received at or after; 0: any time
  Milliseconds to = 0;    // received before; 0: any time
  std::vector<Id> items{};
  Milliseconds since = 0;  // when it was made
  friend bool operator==(const Hold&, const Hold&) = default;
};

struct Removal {
  Id mailbox;
  Milliseconds at = 0;  // when it was ordered
  friend bool operator==(const Removal&, const Removal&) = default;
};

struct Keeping {
  std::vector<RetentionRule> rules;  // one for each mailbox and type
  std::vector<Hold> holds;
  std::vector<Removal> removals;
  friend bool operator==(const Keeping&, const Keeping&) = default;
};

// What rules and holds look at.
struct KeptItem {
  Id mailbox;
  Id item;
  std::uint8_t type = 0;
  Milliseconds received_at = 0;
};

// The rule of the mailbox and type, else of the mailbox, else of the type, else of the tenant; without any: 0, for ever.
std::uint32_t days_kept(const Keeping& keeping, Id mailbox, std::uint8_t type);
bool covers(const Hold& hold, const KeptItem& item);
// The first hold that covers it; null: none does.
const Hold* hold_of(const Keeping& keeping, const KeptItem& item);
// A hold that may cover something in this mailbox; null: none can. Who asks knows no items.
const Hold* hold_on_mailbox(const Keeping& keeping, Id mailbox);

// Whether anything could be deleted under `after` that `before` keeps: retention is cut, a hold is gone, a mailbox is to be
// removed. That takes two people.
bool keeps_less(const Keeping& before, const Keeping& after);

// What a signed operation makes of it: retention.set, hold.add, hold.remove, mailbox.remove (docs/formats/operation.md).
// invalid_input names the argument; not_found; already_exists; limit_exceeded; denied: a hold stops the removal.
Result<Keeping> changed_by(const Operation& operation, Keeping keeping);
bool is_about_keeping(std::string_view operation_type);

std::string write_keeping(const Keeping& keeping);
Result<Keeping> parse_keeping(std::string_view bytes);  // corrupt unless whole and sound

}  // namespace mailhold::access
