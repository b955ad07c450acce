#include "features/recover/restore.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "features/recover/target_folder.h"
#include "platform/crypto/hash.h"

namespace mailhold::recover {
namespace {

using mailboxes::FolderPath;
using mailboxes::ItemHead;

bool is_below(const FolderPath& path, const FolderPath& top) {
  return path.size() >= top.size() && std::equal(top.begin(), top.end(), path.begin());
}

// Where the items of a folder go: below `to` they keep what lies below `from`, whose own name they keep too.
FolderPath target_path(const FolderPath& path, const RestoreRequest& request) {
  if (request.to.empty()) return path;
  FolderPath target = request.to;
  const std::size_t kept_from = request.from.empty() ? 0 : request.from.size();
  target.insert(target.end(), path.begin() + static_cast<std::ptrdiff_t>(kept_from), path.end());
  return target;
}

// The flags that a restore writes: \Deleted is not one of them.
std::vector<std::string> restorable(std::vector<std::string> flags) {
  std::erase_if(flags, [](const std::string& flag) { return equals_ignoring_case(flag, "\\Deleted"); });
  return flags;
}

// In what an item at the server differs from the one that was backed up; empty if in nothing.
std::string difference(const ItemRow& item, const ItemHead& head, const std::string& sha256, bool compares_flags) {
  std::string what;
  const auto add = [&](const char* name) { what += (what.empty() ? "" : ", ") + std::string(name); };
  if (sha256 != item.sha256) add("content");
  if (head.received_at != item.head.received_at) add("received date");
  if (compares_flags && restorable(head.flags) != restorable(item.head.flags)) add("flags");
  return what;
}

struct Group {
  FolderPath target;
  std::vector<ItemRow> items;
};

}  // namespace

std::string_view name_of(Outcome outcome) {
  constexpr std::string_view names[] = {"", "present", "restored", "missing", "flags set", "differs", "failed"};
  return names[static_cast<std::size_t>(outcome)];
}

std::uint64_t RestoreReport::count(Outcome outcome) const {
  return static_cast<std::uint64_t>(
      std::count_if(items.begin(), items.end(), [outcome](const RestoredItem& item) { return item.outcome == outcome; }));
}

bool RestoreReport::is_exact() const {
  return is_over && failure.empty() && count(Outcome::differs) == 0 && count(Outcome::failed) == 0;
}

namespace {

// The items that a request names, by the folder they go to.
Result<std::vector<Group>> select(BackupBook& book, const RestoreRequest& request, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Mailbox mailbox, book.mailbox(request.mailbox, deadline));
  ASSIGN_OR_RETURN(const std::vector<FolderRow> folders, book.folders_as_of(mailbox, request.as_of, deadline));
  std::vector<Group> groups;
  bool is_known = request.from.empty();
  for (const FolderRow& folder : folders) {
    if (!is_below(folder.folder.path, request.from)) continue;
    is_known = true;
    Group group{target_path(folder.folder.path, request), {}};
    ASSIGN_OR_RETURN(group.items, book.items_as_of(folder, request.as_of, deadline));
    if (!request.item.is_none()) std::erase_if(group.items, [&](const ItemRow& item) { return item.id != request.item; });
    if (folder.folder.holds_items && (request.item.is_none() || !group.items.empty())) groups.push_back(std::move(group));
  }
  if (folders.empty())
    return Error{ErrorKind::not_found, "nothing was backed up at that moment", "nothing was backed up at that moment"};
  if (!is_known) return Error{ErrorKind::not_found, "no such folder at that moment", "no such folder at that moment"};
  if (!request.item.is_none() && groups.empty())
    return Error{ErrorKind::not_found, "no such item at that moment", "no such item at that moment"};
  return groups;
}

// Puts the items of one folder back.
class FolderRestore {
 public:
  FolderRestore(const Restore::Parts& parts, const RestoreRequest& request, const Group& group)
      : parts_(parts), request_(request), group_(group) {}

  Status run(mailboxes::MailboxTarget& target, std::vector<RestoredItem>& out, const Deadline& deadline) {
    ASSIGN_OR_RETURN(TargetFolder folder, TargetFolder::open(target, group_.target, !request_.dry_run, deadline));
    for (const ItemRow& item : group_.items) {
      RestoredItem one{item.id, group_.target, {}, Outcome::failed, {}};
      RETURN_IF_ERROR(run_one(folder, item, one, deadline));
      out.push_back(std::move(one));
    }
    return done();
  }

 private:
  Status run_one(TargetFolder& folder, const ItemRow& item, RestoredItem& one, const Deadline& deadline) {
    ASSIGN_OR_RETURN(const std::optional<ItemHead> there, folder.take_equal(item, deadline));
    if (there) {
      one.target_id = there->id;
      one.outcome = Outcome::present;
      if (!request_.sets_flags || restorable(there->flags) == restorable(item.head.flags)) return done();
      one.outcome = Outcome::flags_set;
      return request_.dry_run ? done() : folder.set_flags(there->id, item.head.flags, deadline);
    }
    if (request_.dry_run) {
      one.outcome = Outcome::would;
      return done();
    }
    Result<std::string> content = parts_.store.retrieve(item.tenant, item.message, deadline);
    if (!content && content.error().is_temporary()) return content.error();
    if (!content || crypto::sha256(*content) != item.sha256) {
      one.detail = content ? "the backup holds another content" : "the backup does not open";
      return done();
    }
    const Result<std::string> added = folder.add({item.head, item.form, std::move(*content)}, deadline);
    if (!added && added.error().kind != ErrorKind::denied) return added.error();
    one.outcome = added ? Outcome::restored : Outcome::failed;
    one.target_id = added ? *added : "";
    one.detail = added ? "" : "the server refuses it";
    return done();
  }

  const Restore::Parts& parts_;
  const RestoreRequest& request_;
  const Group& group_;
};

}  // namespace

Status Restore::run(RestoreReport& report, const std::function<void()>& progress, const Deadline& deadline) {
  report.items.clear();
  ASSIGN_OR_RETURN(const std::vector<Group> groups, select(parts_.book, report.request, deadline));
  ASSIGN_OR_RETURN(const auto target, parts_.open_target(deadline));
  for (const Group& group : groups) {
    FolderRestore folder(parts_, report.request, group);
    RETURN_IF_ERROR(folder.run(*target, report.items, deadline));
    if (progress) progress();
  }
  return report.request.dry_run ? done() : verify(report, deadline);
}

Status Restore::verify(RestoreReport& report, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::vector<Group> groups, select(parts_.book, report.request, deadline));
  ASSIGN_OR_RETURN(const auto target, parts_.open_target(deadline));
  std::map<Id, RestoredItem*> reported;
  for (RestoredItem& item : report.items) reported[item.item] = &item;
  for (const Group& group : groups) {
    ASSIGN_OR_RETURN(TargetFolder folder, TargetFolder::open(*target, group.target, false, deadline));
    for (const ItemRow& item : group.items) {
      const auto found = reported.find(item.id);
      if (found == reported.end() || found->second->outcome == Outcome::would) continue;
      RestoredItem& one = *found->second;
      if (one.outcome == Outcome::failed) continue;
      ASSIGN_OR_RETURN(const std::optional<ItemHead> there, folder.take_for(item, one.target_id, deadline));
      if (!there) {
        one.outcome = Outcome::differs;
        one.detail = "it is not there";
        continue;
      }
      ASSIGN_OR_RETURN(const std::string sha256, folder.sha256_of(there->id, deadline));
      // Items that were there keep the flags their owner gave them since.
      const std::string what = difference(item, *there, sha256, one.outcome != Outcome::present);
      one.target_id = there->id;
      if (!what.empty()) {
        one.outcome = Outcome::differs;
        one.detail = what;
      } else if (one.outcome == Outcome::differs) {
        one.outcome = Outcome::present;  // an earlier reading found it otherwise
        one.detail.clear();
      }
    }
  }
  report.verified_at = system_clock().now();
  return done();
}

}  // namespace mailhold::recover
