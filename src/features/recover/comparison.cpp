#include "features/recover/comparison.h"

#include "base/text.h"

namespace mailhold::recover {

std::vector<std::string> restorable(std::vector<std::string> flags) {
  std::erase_if(flags, [](const std::string& flag) { return equals_ignoring_case(flag, "\\Deleted"); });
  return flags;
}

std::string difference(const ItemRow& item, const mailboxes::ItemHead& head, const std::string& content, bool compares_flags) {
  std::string what;
  const auto add = [&](const std::string& name) { what += (what.empty() ? "" : ", ") + name; };
  if (!content.empty()) add(content);
  if (head.received_at != item.head.received_at) add("received date");
  if (compares_flags && restorable(head.flags) != restorable(item.head.flags)) add("flags");
  return what;
}

}  // namespace mailhold::recover
