#include "features/recover/check.h"

#include <algorithm>
#include <set>

#include "base/log.h"

namespace mailhold::recover {
namespace {

constexpr std::size_t versions_at_once = 500;
constexpr std::size_t naming_versions_max = 10'000;

using store::Soundness;

// What is known of it, and what to do.
std::string what_of(Soundness soundness) {
  switch (soundness) {
    case Soundness::whole: break;
    case Soundness::damaged: return "its bytes on the disk are damaged: put packs/ and blobs/ back from a copy that is whole";
    case Soundness::not_in_records:
      return "the records have no key of it or of a part of it: put back the copy of backup.db that belongs to these packs";
    case Soundness::key_missing: return "keyd has no key of its day: put back the keystore that belongs to this backup";
    case Soundness::key_does_not_fit:
      return "keyd's key of its day does not fit: put back the keystore, or the backup.db, that belong to each other";
    case Soundness::bytes_missing:
      return "the file that it lies in is missing: mount packs/ and blobs/, or put them back from a copy";
    case Soundness::not_read_here:
      return "it is larger than messages may be now (was that limit lowered?), or a later version of Mailhold wrote it";
    case Soundness::bytes_of_another:
      return "what lies at its place is not known to be its own: mailhold backup check --set-places looks for it in all packs; "
             "if "
             "that does not help, put packs/ and blobs/ back from a copy";
  }
  return {};
}

Error no_such_mailbox() {
  const std::string what = "no such mailbox; see mailhold mailbox list";
  return {ErrorKind::not_found, what, what};
}

}  // namespace

std::string_view name_of(Verdict verdict) {
  constexpr std::string_view names[] = {"damaged", "not judged", "row"};
  return names[static_cast<std::size_t>(verdict)];
}

Check::Check(const Parts& parts, CheckRequest request, std::function<void(const CheckReport&)> progress)
    : parts_(parts), progress_(std::move(progress)) {
  report_.request = request;
  report_.started_at = parts_.clock.now();
}

Status Check::run(const Deadline& deadline) {
  if (report_.request.sets_places) {
    ASSIGN_OR_RETURN(report_.places_set, parts_.store.rebuild(deadline));
    progress_(report_);
  }
  RETURN_IF_ERROR(choose(deadline));
  for (const BackupBook::CheckScope& scope : scopes_) {
    ASSIGN_OR_RETURN(const std::uint64_t count, parts_.book.count_versions_to_check(scope, deadline));
    report_.versions_expected += count;
  }
  progress_(report_);
  RETURN_IF_ERROR(look_at_folders(deadline));
  for (const BackupBook::CheckScope& scope : scopes_) {
    ASSIGN_OR_RETURN(content_ids_, ContentIds::of(scope.tenant, parts_.keys, deadline));
    ASSIGN_OR_RETURN(const std::vector<BackupBook::FolderToCheck> folders, parts_.book.folders_to_check(scope, deadline));
    for (const BackupBook::FolderToCheck& folder : folders) RETURN_IF_ERROR(look_at_versions(scope, folder, deadline));
  }
  report_.ended_at = parts_.clock.now();
  return done();
}

// Which mailboxes, by what stands in the clear: one whose row does not open has contents too.
Status Check::choose(const Deadline& deadline) {
  const CheckRequest& request = report_.request;
  ASSIGN_OR_RETURN(const std::vector<BackupBook::MailboxToCheck> all, parts_.book.mailboxes_to_check(deadline));
  Milliseconds moment = report_.started_at;
  std::map<Id, Id> owners;  // and their tenants
  for (const BackupBook::MailboxToCheck& each : all) {
    if (!request.tenant.is_none() && request.tenant != each.tenant) continue;
    if (!request.mailbox.is_none() && request.mailbox != each.id) continue;
    if (!each.row && each.row.error().kind == ErrorKind::not_found) {
      ++report_.without_keys;
      add({Verdict::unjudged,
           each.id,
           {},
           {},
           0,
           "keyd has no keys of its tenant: they went with it, or the keystore is not the one that belongs to this backup"});
      continue;
    }
    owners[request.mailbox.is_none() ? each.tenant : each.id] = each.tenant;
    if (each.row) {
      mailboxes_.push_back(*each.row);
      moment = std::max(moment, each.row->synced_at);  // whatever became of the clock since
      continue;
    }
    ++report_.rows;
    add({Verdict::row, each.id, {}, {}, 0, "the row of this mailbox does not open: put backup.db back from a copy"});
  }
  if (owners.empty() && report_.without_keys == 0 && !request.mailbox.is_none()) return no_such_mailbox();
  const bool is_asked_for = !request.tenant.is_none() || !request.mailbox.is_none();
  if (is_asked_for || owners.empty()) report_.unjudged += report_.without_keys;
  for (const auto& [owner, tenant] : owners) scopes_.push_back({owner, tenant, moment});
  return done();
}

// Where one does not open the mailbox is not shown or restored.
Status Check::look_at_folders(const Deadline& deadline) {
  for (const Mailbox& mailbox : mailboxes_) {
    const auto folders = parts_.book.all_folders(mailbox, deadline);
    if (folders) continue;
    if (folders.error().is_temporary() || folders.error().kind == ErrorKind::cancelled) return folders.error();
    ++report_.rows;
    add({Verdict::row, mailbox.id, {}, {}, 0, "the row of one of its folders does not open: put backup.db back from a copy"});
  }
  return done();
}

void Check::add(CheckFinding finding) {
  if (report_.findings.size() < check_findings_max) report_.findings.push_back(std::move(finding));
}

Status Check::look_at_versions(const BackupBook::CheckScope& scope, const BackupBook::FolderToCheck& folder,
                               const Deadline& deadline) {
  Id item;
  Milliseconds since = -1;
  for (bool more = true; more;) {
    if (deadline.stop.stop_requested()) return Error{ErrorKind::cancelled, "asked to stop"};
    ASSIGN_OR_RETURN(const Versions versions,
                     parts_.book.versions_to_check(scope, folder.number, item, since, versions_at_once, deadline));
    more = versions.size() == versions_at_once;
    if (versions.empty()) break;
    item = versions.back().item;
    since = versions.back().since;
    note_rows(folder, versions);
    RETURN_IF_ERROR(look_at_contents(scope, versions, deadline));
    report_.versions += versions.size();
    progress_(report_);
  }
  return done();
}

void Check::note_rows(const BackupBook::FolderToCheck& folder, const Versions& versions) {
  for (const BackupBook::VersionToCheck& each : versions) {
    if (each.row && *each.row) continue;
    ++report_.rows;
    add({Verdict::row,
         folder.mailbox,
         each.item,
         {},
         0,
         each.row ? "the key of its row is missing: put back the keystore that belongs to this backup"
                  : "its row does not open, so that it is not shown or restored: put backup.db back from a copy"});
  }
}

Status Check::look_at_contents(const BackupBook::CheckScope& scope, const Versions& versions, const Deadline& deadline) {
  std::vector<Id> contents;
  std::vector<const BackupBook::VersionToCheck*> named_by;
  for (const BackupBook::VersionToCheck& each : versions) {
    if (!each.is_first) continue;
    contents.push_back(each.content);
    named_by.push_back(&each);
  }
  std::size_t at = 0;
  const auto found = [&](const store::Inspected& one) { return judge(scope.tenant, *named_by[at++], one, deadline); };
  return parts_.store.inspect(scope.tenant, contents, content_ids_->is_of(), found, deadline);
}

Status Check::judge(Id tenant, const BackupBook::VersionToCheck& version, store::Inspected one, const Deadline& deadline) {
  // What was lost with a damaged bundle has no key any more.
  const bool is_given_up = version.is_lost && one.soundness == Soundness::not_in_records;
  if (is_given_up) one.soundness = Soundness::damaged;
  if (one.soundness == Soundness::whole) {
    ++report_.contents;
    report_.bytes += one.bytes;
    if (!version.is_lost) return done();
    ++report_.readable_again;
    return parts_.book.is_lost_no_more(version.content, deadline);
  }
  // Retention, or the removal of its mailbox, may have taken it away meanwhile.
  ASSIGN_OR_RETURN(const bool is_named, parts_.book.is_named(version.content, deadline));
  if (!is_named) return done();
  ++report_.contents;
  if (one.soundness != Soundness::damaged) {
    ++report_.unjudged;
    return find(Verdict::unjudged, tenant, version.content, what_of(one.soundness), deadline);
  }
  ++report_.damaged;
  if (!version.is_lost) log_error("backup", "content " + version.content.text() + " is damaged: see mailhold backup lost");
  RETURN_IF_ERROR(parts_.book.note_lost(tenant, {version.content}, deadline));
  return find(Verdict::damaged, tenant, version.content, what_of(one.soundness), deadline);
}

// Every item that has the content, each once.
Status Check::find(Verdict verdict, Id tenant, Id content, const std::string& what, const Deadline& deadline) {
  if (report_.findings.size() == check_findings_max) return done();
  ASSIGN_OR_RETURN(const auto versions, parts_.book.versions_with(tenant, content, naming_versions_max, deadline));
  std::set<Id> named;
  for (const BackupBook::NamingVersion& each : versions) {
    if (report_.findings.size() == check_findings_max) return done();
    if (!each.version || !named.insert(each.version->id).second) continue;
    add({verdict, each.mailbox, each.version->id, path_of(each.mailbox, each.version->folder, deadline),
         each.version->head.received_at, what});
  }
  // By no version that opens: those are named as rows.
  if (named.empty()) add({verdict, {}, {}, {}, 0, what});
  return done();
}

// Empty if it is not known.
mailboxes::FolderPath Check::path_of(Id mailbox, Id folder, const Deadline& deadline) {
  if (paths_of_ != mailbox) {
    paths_of_ = mailbox;
    paths_.clear();
    const auto row = parts_.book.mailbox(mailbox, deadline);
    const auto folders = row ? parts_.book.all_folders(*row, deadline) : Result<std::vector<FolderRow>>(row.error());
    if (!folders) return {};
    for (const FolderRow& each : *folders) paths_[each.id] = each.folder.path;
  }
  const auto found = paths_.find(folder);
  return found == paths_.end() ? mailboxes::FolderPath() : found->second;
}

}  // namespace mailhold::recover
