// When and what of a mailbox is read, as people say it and as its row has it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "features/mailboxes/mailbox.h"

namespace mailhold::recover {

inline constexpr std::chrono::seconds every_min{60};
inline constexpr std::chrono::seconds every_max = std::chrono::hours(7 * 24);

enum class Reading : std::uint8_t {
  usual = 0,       // backup.every_seconds after its last sync
  every = 1,       // a time of its own after its last sync
  continuous = 2,  // soon after something changed in it
};

struct Schedule {
  Reading reading = Reading::usual;
  std::chrono::seconds every{0};  // of Reading::every, from every_min to every_max
  friend bool operator==(const Schedule&, const Schedule&) = default;
};
std::string text_of(const Schedule& schedule);  // "default", "every 6h", "continuous"

// "90s", "15m", "6h", "7d". invalid_input: none of them, or not from every_min to every_max.
Result<std::chrono::seconds> parse_every(std::string_view text);

// "event,task"; "all". invalid_input names what is no type, or what a mailbox of that kind does not hold.
Result<mailboxes::ItemTypes> parse_types(std::string_view text, mailboxes::MailboxKind kind);
std::string text_of(mailboxes::ItemTypes types);

}  // namespace mailhold::recover
