#include "features/recover/comparison.h"

#include "base/text.h"

namespace mailhold::recover {

std::vector<std::string> restorable(std::vector<std::string> flags) {
  std::erase_if(flags, [](const std::string& flag) { return equals_ignoring_case(flag, "\\Deleted"); });
  return flags;
}

std::string difference(const ItemRow& item, const mailboxes::ItemHead& head, const std::string& sha256, bool compares_flags) {
  std::string what;
  const auto add = [&](const char* name) { what += (what.empty() ? "" : ", ") + std::string(name); };
  if (sha256 != item.sha256) add("content");
  if (head.received_at != item.head.received_at) add("received date");
  if (compares_flags && restorable(head.flags) != restorable(item.head.flags)) add("flags");
  return what;
}

}  // namespace mailhold::recover
