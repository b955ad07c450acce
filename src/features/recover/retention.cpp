#include "features/recover/retention.h"

#include <algorithm>
#include <set>

#include "base/log.h"
#include "features/recover/backup_metrics.h"
#include "features/recover/content_keeper.h"
#include "features/recover/restore.h"
#include "platform/crypto/hash.h"

namespace mailhold::recover {
namespace {

constexpr std::size_t versions_at_once = 500;
constexpr std::size_t contents_at_once = 200;
constexpr Milliseconds milliseconds_in_day = 86'400'000;

Milliseconds in_days(std::uint32_t days) { return static_cast<Milliseconds>(days) * milliseconds_in_day; }

// No version of the mailbox that ended later than so long ago is over; nothing: none ever is.
std::optional<Milliseconds> shortest_keeping(const access::Keeping& keeping, Id mailbox) {
  std::uint32_t days = 0;
  for (std::uint8_t type = 1; type <= std::size(access::item_types); ++type) {
    const std::uint32_t of_type = days_kept(keeping, mailbox, type);
    if (of_type != 0 && (days == 0 || of_type < days)) days = of_type;
  }
  return days == 0 ? std::nullopt : std::optional(in_days(days));
}

// A folder's name goes when nothing in it could be kept any longer; nothing: never.
std::optional<Milliseconds> longest_keeping(const access::Keeping& keeping, Id mailbox) {
  std::uint32_t days = 0;
  for (std::uint8_t type = 1; type <= std::size(access::item_types); ++type) {
    const std::uint32_t of_type = days_kept(keeping, mailbox, type);
    if (of_type == 0) return std::nullopt;
    days = std::max(days, of_type);
  }
  return in_days(days);
}

}  // namespace

Fate fate_of(const access::Keeping& keeping, Id mailbox, const ItemRow& version) {
  Fate fate;
  const auto type = static_cast<std::uint8_t>(version.head.type);
  fate.hold = hold_of(keeping, {mailbox, version.id, type, version.head.received_at});
  const std::uint32_t days = days_kept(keeping, mailbox, type);
  if (days != 0 && version.until) fate.ends_at = *version.until + in_days(days);
  return fate;
}

Result<Expired> Retention::run(const Deadline& deadline) {
  const std::lock_guard lock(running_);
  ASSIGN_OR_RETURN(const std::vector<Mailbox> mailboxes, parts_.book.mailboxes(deadline));
  std::set<Id> tenants;
  for (const Mailbox& mailbox : mailboxes) tenants.insert(mailbox.tenant);
  Expired expired;
  Keepings keepings;
  Status outcome = done();  // one tenant's trouble does not stop the others
  const auto note = [&](const Status& status) {
    if (!status && outcome) outcome = status;
  };
  for (const Id& tenant : tenants) {
    const auto keeping = parts_.rules.of(tenant, deadline);
    if (!keeping) {
      note(keeping.error());
      continue;
    }
    note(remove_mailboxes(tenant, mailboxes, *keeping, expired, deadline));
    for (const Mailbox& mailbox : mailboxes) {
      if (mailbox.tenant == tenant) note(expire_versions(mailbox, *keeping, expired, deadline));
    }
    keepings.emplace(tenant, *keeping);
  }
  const Status released = release_contents(keepings, expired, deadline);
  if (released) show_waiting(expired.waiting);
  note(released);
  note(look_at_lost(deadline));
  const auto reports = parts_.book.remove_old_restores(parts_.clock.now(), in_days(parts_.report_days), deadline);
  if (reports)
    expired.reports = *reports;
  else
    note(reports.error());
  if (expired.versions + expired.folders + expired.mailboxes + expired.reports > 0) must_forget_ = true;
  if (must_forget_) {
    const Status forgotten = parts_.book.forget_deleted(deadline);
    must_forget_ = !forgotten;
    note(forgotten);
  }
  if (expired.contents > 0) {
    const auto reclaimed = parts_.store.collect(deadline);
    if (!reclaimed) note(reclaimed.error());
  }
  count_expired(expired);
  if (!outcome) return outcome.error();
  return expired;
}

Status Retention::expire_versions(const Mailbox& mailbox, const access::Keeping& keeping, Expired& expired,
                                  const Deadline& deadline) {
  if (!shortest_keeping(keeping, mailbox.id)) return done();
  const auto folders = parts_.book.all_folders(mailbox, deadline);
  if (!folders && folders.error().kind == ErrorKind::not_found) return done();  // removed meanwhile, or its tenant
  if (!folders) return folders.error();
  const std::uint64_t versions_before = expired.versions;
  for (const FolderRow& folder : *folders) RETURN_IF_ERROR(expire_folder(mailbox, folder, keeping, expired, deadline));
  if (expired.versions == versions_before) return done();
  return parts_.rules.report(mailbox.tenant, mailbox.id, "backup.expired", {{"versions", expired.versions - versions_before}},
                             deadline);
}

Status Retention::expire_folder(const Mailbox& mailbox, const FolderRow& folder, const access::Keeping& keeping, Expired& expired,
                                const Deadline& deadline) {
  const Milliseconds now = parts_.clock.now();
  const Milliseconds ended_by = now - *shortest_keeping(keeping, mailbox.id);
  BackupBook::VersionMark mark;
  for (bool more = true; more;) {
    if (deadline.stop.stop_requested()) return Error{ErrorKind::cancelled, "the retention job was stopped"};
    ASSIGN_OR_RETURN(BackupBook::EndedVersions ended,
                     parts_.book.ended_versions(folder, ended_by, mark, versions_at_once, deadline));
    mark = ended.mark;
    more = ended.read == versions_at_once;
    std::erase_if(ended.versions, [&](const ItemRow& version) {
      const Fate fate = fate_of(keeping, mailbox.id, version);
      return fate.hold != nullptr || !fate.ends_at || *fate.ends_at > now;
    });
    if (ended.versions.empty()) continue;
    RETURN_IF_ERROR(parts_.book.remove_versions(mailbox.tenant, ended.versions, deadline));
    expired.versions += ended.versions.size();
  }
  const auto longest = longest_keeping(keeping, mailbox.id);
  if (!folder.until || !longest || *folder.until + *longest > now) return done();
  ASSIGN_OR_RETURN(const std::uint64_t left, parts_.book.count_versions(folder.id, deadline));
  if (left > 0) return done();
  ++expired.folders;
  return parts_.book.remove_folder(folder, deadline);
}

// The order stays with brokerd until the mailbox is gone and the ledger says so.
Status Retention::remove_mailboxes(Id tenant, const std::vector<Mailbox>& mailboxes, const access::Keeping& keeping,
                                   Expired& expired, const Deadline& deadline) {
  for (const access::Removal& removal : keeping.removals) {
    const auto mailbox = std::find_if(mailboxes.begin(), mailboxes.end(),
                                      [&](const Mailbox& each) { return each.id == removal.mailbox && each.tenant == tenant; });
    if (mailbox != mailboxes.end()) {
      // A hold that came after the order.
      if (const access::Hold* hold = hold_on_mailbox(keeping, removal.mailbox); hold != nullptr) {
        log_warning("backup", "mailbox " + removal.mailbox.text() + " is not removed: hold " + hold->id.text());
        continue;
      }
      if (!parts_.let_go(removal.mailbox)) continue;
      RETURN_IF_ERROR(remove_mailbox(*mailbox, deadline));
      ++expired.mailboxes;
    }
    RETURN_IF_ERROR(parts_.rules.report(tenant, removal.mailbox, "mailbox.removed", {}, deadline));
  }
  return done();
}

Status Retention::remove_mailbox(const Mailbox& mailbox, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::vector<FolderRow> folders, parts_.book.all_folders(mailbox, deadline));
  for (const FolderRow& folder : folders) {
    for (std::uint64_t count = versions_at_once; count == versions_at_once;) {
      if (deadline.stop.stop_requested()) return Error{ErrorKind::cancelled, "the retention job was stopped"};
      ASSIGN_OR_RETURN(count, parts_.book.remove_some_versions(folder, versions_at_once, deadline));
    }
    RETURN_IF_ERROR(parts_.book.remove_folder(folder, deadline));
  }
  ASSIGN_OR_RETURN(const std::vector<Id> restores, parts_.book.restores(deadline));
  std::vector<Id> of_this;
  for (const Id& job : restores) {
    const auto bytes = parts_.book.restore(job, deadline);
    if (!bytes && bytes.error().is_temporary()) return bytes.error();
    const auto report = bytes ? parse_report(*bytes) : Result<RestoreReport>(bytes.error());
    if (report && report->request.mailbox == mailbox.id) of_this.push_back(job);
  }
  return parts_.book.remove_mailbox(mailbox.id, of_this, deadline);
}

// Not while syncs wait: this asks another process. A content that is named anew meanwhile is taken into the index anew with that
// version of it.
Status Retention::forget_words(const BackupBook::Leaving& leaving, const Deadline& deadline) {
  std::vector<Id> unnamed;
  for (const Id& content : leaving.contents) {
    ASSIGN_OR_RETURN(const bool is_named, parts_.book.is_named(content, deadline));
    if (!is_named) unnamed.push_back(content);
  }
  return unnamed.empty() ? done() : parts_.forget_words(leaving.tenant, unnamed, deadline);
}

// One that cannot be taken out of its bundle now is tried again by the next run. The others go.
Status Retention::release(Id tenant, std::vector<Id>& unnamed, std::vector<Id>& looked_at, const Keepings& keepings,
                          Expired& expired, const Deadline& deadline) {
  if (unnamed.empty()) return done();
  const auto passes = [](const Error& error) { return error.is_temporary() || error.kind == ErrorKind::cancelled; };
  const auto all = parts_.store.release(tenant, unnamed, deadline);
  if (!all && passes(all.error())) return all.error();
  if (!all) {
    Result<Stays> stays = release_from_damage(tenant, unnamed, keepings, expired, deadline);
    if (!stays && passes(stays.error())) return stays.error();
    if (!stays) {
      const Error why = stays.error();
      stays = Stays();
      for (const Id& content : unnamed) stays->emplace(content, why);
    }
    for (const auto& [content, why] : *stays) {
      if (waits_.insert(content).second)
        log_error("backup", "content " + content.text() + " is over and cannot be taken out: " + why.detail);
    }
    const auto has_stayed = [&](Id content) { return stays->contains(content); };
    expired.waiting += stays->size();
    std::erase_if(unnamed, has_stayed);
    std::erase_if(looked_at, has_stayed);
  }
  for (const Id& content : unnamed) waits_.erase(content);
  return done();
}

// What cannot be read beside them is noted before it is lost, and stays where a hold covers it: then so does the key that it may
// be read with once the bundle's bytes are brought back from a copy.
Result<Retention::Stays> Retention::release_from_damage(Id tenant, const std::vector<Id>& contents, const Keepings& keepings,
                                                        Expired& expired, const Deadline& deadline) {
  const auto may_lose = [&](const std::vector<Id>& unreadable) -> Result<bool> {
    RETURN_IF_ERROR(parts_.book.note_lost(tenant, unreadable, deadline));
    const auto keeping = keepings.find(tenant);
    if (keeping == keepings.end()) return false;  // nobody knows its holds now
    for (const Id& each : unreadable) {
      ASSIGN_OR_RETURN(const bool held, is_held(tenant, each, keeping->second, deadline));
      if (held) return false;
    }
    return true;
  };
  const auto ids = ContentIds::of(tenant, parts_.keys, deadline);
  if (!ids && ids.error().kind != ErrorKind::not_found) return ids.error();
  store::MessageStore::Salvage salvage{may_lose};
  if (ids) salvage.is_of = [&](Id message, std::string_view sha256) { return (*ids)->id_of(sha256) == message; };
  ASSIGN_OR_RETURN(const auto salvaged, parts_.store.release_from_damage(tenant, contents, salvage, deadline));
  for (const Id& each : salvaged.lost) {
    ASSIGN_OR_RETURN(const bool is_named, parts_.book.is_named(each, deadline));
    if (!is_named) continue;  // it is over too
    ++expired.lost;
    log_error("backup", "content " + each.text() + " is lost: its bundle is damaged; see mailhold backup lost");
  }
  Stays stays;
  for (const auto& [content, why] : salvaged.stay) stays.emplace(content, why);
  return stays;
}

// What cannot be looked at, because there is too much of it or it does not open, is taken for held.
Result<bool> Retention::is_held(Id tenant, Id content, const access::Keeping& keeping, const Deadline& deadline) {
  constexpr std::size_t versions_max = 10'000;
  ASSIGN_OR_RETURN(const std::vector<BackupBook::NamingVersion> versions,
                   parts_.book.versions_with(tenant, content, versions_max, deadline));
  for (const BackupBook::NamingVersion& each : versions) {
    const access::Hold* hold =
        each.version ? fate_of(keeping, each.mailbox, *each.version).hold : hold_on_mailbox(keeping, each.mailbox);
    if (hold != nullptr) return true;
  }
  return versions.size() == versions_max && !keeping.holds.empty();
}

Result<bool> Retention::can_be_read_again(const BackupBook::LostContent& lost, const Deadline& deadline) {
  const auto ids = ContentIds::of(lost.tenant, parts_.keys, deadline);
  if (!ids && ids.error().is_temporary()) return ids.error();
  if (!ids) return false;
  const auto content = parts_.store.retrieve(lost.tenant, lost.content, deadline, (*ids)->is_of());
  if (!content && content.error().is_temporary()) return content.error();
  // What opens may be another one.
  return content && (*ids)->id_of(crypto::sha256(*content)) == lost.content;
}

// What was lost may be there again: the bundle was mended, or the content came once more.
Status Retention::look_at_lost(const Deadline& deadline) {
  constexpr std::size_t lost_at_once = 1'000;
  ASSIGN_OR_RETURN(const std::vector<BackupBook::LostContent> all, parts_.book.lost(lost_at_once, deadline));
  for (const BackupBook::LostContent& each : all) {
    if (deadline.stop.stop_requested()) return Error{ErrorKind::cancelled, "the retention job was stopped"};
    ASSIGN_OR_RETURN(const bool is_named, parts_.book.is_named(each.content, deadline));
    if (is_named) {
      ASSIGN_OR_RETURN(const bool can_be_read, can_be_read_again(each, deadline));
      if (!can_be_read) continue;
    }
    if (is_named) log_info("backup", "content " + each.content.text() + " can be read again");
    RETURN_IF_ERROR(parts_.book.is_lost_no_more(each.content, deadline));
  }
  return done();
}

// Contents whose versions went. One that a version still names stays, and comes again with that version's end. Those that cannot
// go now are passed by, so that they don't keep back what lies behind them.
Status Retention::release_contents(const Keepings& keepings, Expired& expired, const Deadline& deadline) {
  for (BackupBook::LeavingMark mark;;) {
    if (deadline.stop.stop_requested()) return Error{ErrorKind::cancelled, "the retention job was stopped"};
    ASSIGN_OR_RETURN(const BackupBook::Leaving leaving, parts_.book.leaving(mark, contents_at_once, deadline));
    if (leaving.contents.empty()) return done();
    mark = {leaving.tenant, leaving.contents.back()};
    RETURN_IF_ERROR(forget_words(leaving, deadline));
    std::vector<Id> looked_at, unnamed;
    {
      const ContentClaims::Pause pause(parts_.book.claims());
      for (const Id& content : leaving.contents) {
        if (pause.is_claimed(content)) continue;  // a sync is about to name it
        looked_at.push_back(content);
        ASSIGN_OR_RETURN(const bool is_named, parts_.book.is_named(content, deadline));
        if (!is_named) unnamed.push_back(content);
      }
      RETURN_IF_ERROR(release(leaving.tenant, unnamed, looked_at, keepings, expired, deadline));
    }
    RETURN_IF_ERROR(parts_.book.have_left(looked_at, deadline));
    expired.contents += unnamed.size();
  }
}

}  // namespace mailhold::recover
