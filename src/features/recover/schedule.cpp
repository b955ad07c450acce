#include "features/recover/schedule.h"

#include "base/text.h"
#include "core/access/keeping.h"

namespace mailhold::recover {
namespace {

using mailboxes::ItemType;
using mailboxes::ItemTypes;

struct Unit {
  char letter;
  std::chrono::seconds length;
};
constexpr Unit units[] = {
    {'d', std::chrono::hours(24)}, {'h', std::chrono::hours(1)}, {'m', std::chrono::minutes(1)}, {'s', std::chrono::seconds(1)}};

Error not_so(const std::string& what) { return {ErrorKind::invalid_input, what, what}; }

}  // namespace

std::string text_of(const Schedule& schedule) {
  if (schedule.reading == Reading::usual) return "default";
  if (schedule.reading == Reading::continuous) return "continuous";
  for (const Unit& unit : units) {
    if (schedule.every % unit.length == std::chrono::seconds(0))
      return "every " + std::to_string(schedule.every / unit.length) + unit.letter;
  }
  return {};
}

Result<std::chrono::seconds> parse_every(std::string_view text) {
  constexpr std::uint64_t number_max = 1'000'000;  // of any unit it is above the limit, and overflows none
  for (const Unit& unit : units) {
    if (!text.ends_with(unit.letter)) continue;
    const auto number = to_number(text.substr(0, text.size() - 1));
    if (!number) break;
    const std::chrono::seconds every = unit.length * static_cast<std::int64_t>(std::min(*number, number_max));
    if (every >= every_min && every <= every_max) return every;
    return not_so("a mailbox can be read every 60s to 7d, not every " + std::string(text));
  }
  return not_so("say how often as a whole number with s, m, h or d, as in 15m, 6h or 1d");
}

Result<ItemTypes> parse_types(std::string_view text, mailboxes::MailboxKind kind) {
  const ItemTypes possible = mailboxes::types_of(kind);
  if (text == "all") return ItemTypes::all();
  std::uint8_t bits = 0;
  for (const std::string_view name : split(text, ',')) {
    const Result<std::uint8_t> number = access::item_type_of(name);
    if (!number || *number == 0)
      return not_so("'" + std::string(name) + "' is no type of items: give all, or some of mail, event, contact, task, note");
    const auto type = static_cast<ItemType>(*number);
    if (!possible.has(type)) {
      const std::string holds = kind == mailboxes::MailboxKind::imap ? "mail alone" : "event, contact, task and note";
      return not_so("a mailbox of kind " + std::string(mailboxes::name_of(kind)) + " holds " + holds + ", and no " +
                    std::string(name));
    }
    bits |= ItemTypes{type}.bits();
  }
  const ItemTypes chosen = ItemTypes::from_bits(bits);
  return chosen == possible ? ItemTypes::all() : chosen;
}

std::string text_of(ItemTypes types) {
  if (types == ItemTypes::all()) return "all";
  std::string text;
  for (const ItemType type : {ItemType::mail, ItemType::event, ItemType::contact, ItemType::task, ItemType::note}) {
    if (types.has(type)) text += (text.empty() ? "" : ",") + std::string(access::item_type_name(static_cast<std::uint8_t>(type)));
  }
  return text;
}

}  // namespace mailhold::recover
