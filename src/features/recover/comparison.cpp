#include "features/recover/comparison.h"

#include <limits>

#include "base/text.h"
#include "platform/crypto/hash.h"

namespace mailhold::recover {

std::vector<std::string> restorable(std::vector<std::string> flags) {
  std::erase_if(flags, [](const std::string& flag) { return equals_ignoring_case(flag, "\\Deleted"); });
  return flags;
}

Result<Meaning> meaning_of(const ContentComparer& comparer, TargetFolder& folder, const ItemRow& item, const std::string& id,
                           const Deadline& deadline) {
  const bool is_compared = item.form == mailboxes::ContentForm::icalendar || item.form == mailboxes::ContentForm::vcard;
  if (comparer.meaning == nullptr || !is_compared) return Meaning{};
  ASSIGN_OR_RETURN(const std::string there, folder.content_of(id, deadline));
  if (there.empty()) return Meaning{};
  const Result<std::string> backed_up = comparer.store.retrieve(item.tenant, item.message, deadline, item.content_ids->is_of());
  const bool is_to_come = !backed_up && (backed_up.error().is_temporary() || backed_up.error().kind == ErrorKind::cancelled);
  if (is_to_come) return backed_up.error();
  if (!backed_up || !item.has_content(crypto::sha256(*backed_up))) return Meaning{};
  return comparer.meaning->compare(item.tenant, item.form, *backed_up, there, deadline);
}

Result<bool> is_in_backup(const KeptContents& kept, const Mailbox& mailbox, std::string_view content, const Deadline& deadline) {
  constexpr Milliseconds end_of_time = std::numeric_limits<Milliseconds>::max();
  const std::string sha256 = crypto::sha256(content);
  const Id id = kept.ids->id_of(sha256);
  const auto versions = kept.book.items_with(mailbox, id, end_of_time, deadline);
  if (!versions && versions.error().kind != ErrorKind::corrupt) return versions.error();
  if (!versions || versions->empty()) return false;
  const Result<std::string> stored = kept.store.retrieve(mailbox.tenant, id, deadline);
  if (!stored && (stored.error().is_temporary() || stored.error().kind == ErrorKind::cancelled)) return stored.error();
  return stored && crypto::sha256(*stored) == sha256;
}

Result<std::string> content_difference(const ContentComparer& comparer, TargetFolder& folder, const ItemRow& item,
                                       const std::string& id, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::string sha256, folder.sha256_of(id, deadline));
  if (item.has_content(sha256)) return std::string();
  ASSIGN_OR_RETURN(const Meaning meaning, meaning_of(comparer, folder, item, id, deadline));
  if (meaning.is_equal) return std::string(equal_in_meaning);
  return meaning.differences.empty() ? "content" : "content: " + meaning.differences;
}

std::string difference(const ItemRow& item, const mailboxes::ItemHead& head, const std::string& content, bool compares_flags) {
  std::string what;
  const auto add = [&](const std::string& name) { what += (what.empty() ? "" : ", ") + name; };
  if (!content.empty() && content != equal_in_meaning) add(content);
  // One without a date gets whichever the server gives it.
  if (item.head.received_at != 0 && head.received_at != item.head.received_at) add("received date");
  if (compares_flags && restorable(head.flags) != restorable(item.head.flags)) add("flags");
  return what;
}

}  // namespace mailhold::recover
