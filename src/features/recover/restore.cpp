#include "features/recover/restore.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>

#include "base/text.h"
#include "base/utf8.h"
#include "features/recover/comparison.h"
#include "features/recover/read_back.h"
#include "features/recover/target_folder.h"
#include "features/recover/try_end.h"
#include "platform/crypto/hash.h"

namespace mailhold::recover {
namespace {

using mailboxes::FolderPath;
using mailboxes::ItemHead;

// The place of another mailbox's items: beside its owner's, under names that say whose they were.
FolderPath placed(const FolderPath& path, mailboxes::MailboxKind kind, const std::string& place) {
  FolderPath target = path;
  if (kind == mailboxes::MailboxKind::dav && !path.empty())
    target.back() = place + ": " + path.back();
  else
    target.insert(target.begin(), place);
  return target;
}

// Where the items of a folder go: below `to` they keep what lies below `from`, whose own name they keep too.
FolderPath target_path(const FolderPath& path, mailboxes::MailboxKind kind, const RestoreRequest& request) {
  if (request.to.empty() && !request.place.empty()) return placed(path, kind, request.place);
  if (request.to.empty()) return path;
  FolderPath target = request.to;
  const std::size_t kept_from = request.from.empty() ? 0 : request.from.size();
  target.insert(target.end(), path.begin() + static_cast<std::ptrdiff_t>(kept_from), path.end());
  return target;
}

struct Group {
  Id folder;  // that was backed up
  FolderPath target;
  std::vector<ItemRow> items;
};

}  // namespace

std::string place_of(const Mailbox& mailbox) {
  constexpr std::size_t name_bytes_max = 120;  // servers keep 255 bytes, and spell other letters longer
  constexpr std::string_view odd = "/\\.%*\"#&~^:!'";
  std::string name;
  for (std::size_t at = 0; at < mailbox.name.size() && name.size() < name_bytes_max;) {
    const char32_t letter = next_code_point(mailbox.name, at);
    const bool is_odd =
        letter < 0x20 || letter == 0x7f || (letter < 0x80 && odd.find(static_cast<char>(letter)) != std::string_view::npos);
    append_utf8(name, is_odd ? U'_' : letter);
  }
  return "Restored from " + std::string(trim(name));
}

std::string_view name_of(Outcome outcome) {
  constexpr std::string_view names[] = {"", "present", "restored", "missing", "flags set", "differs", "failed", "overwritten"};
  return names[static_cast<std::size_t>(outcome)];
}

std::uint64_t RestoreReport::count(Outcome outcome) const {
  return static_cast<std::uint64_t>(
      std::count_if(items.begin(), items.end(), [outcome](const RestoredItem& item) { return item.outcome == outcome; }));
}

std::uint64_t RestoreReport::count_equal_in_meaning() const {
  return static_cast<std::uint64_t>(
      std::count_if(items.begin(), items.end(), [](const RestoredItem& item) { return item.detail == equal_in_meaning; }));
}

bool RestoreReport::is_exact() const {
  return is_over && failure.empty() && count(Outcome::differs) == 0 && count(Outcome::failed) == 0;
}

namespace {

// The items that a request names, by the folder they go to.
Result<std::vector<Group>> select(BackupBook& book, const RestoreRequest& request, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Mailbox mailbox, book.mailbox(request.mailbox, deadline));
  ASSIGN_OR_RETURN(const std::vector<FolderRow> folders, book.folders_as_of(mailbox, request.as_of, deadline));
  const std::set<Id> chosen(request.items.begin(), request.items.end());
  std::vector<Group> groups;
  bool is_known = request.from.empty();
  for (const FolderRow& folder : folders) {
    if (!mailboxes::is_below(folder.folder.path, request.from)) continue;
    is_known = true;
    Group group{folder.id, target_path(folder.folder.path, mailbox.kind, request), {}};
    ASSIGN_OR_RETURN(group.items, book.items_as_of(folder, request.as_of, deadline));
    if (!request.item.is_none()) std::erase_if(group.items, [&](const ItemRow& item) { return item.id != request.item; });
    if (!chosen.empty()) std::erase_if(group.items, [&](const ItemRow& item) { return !chosen.contains(item.id); });
    const bool takes_all = request.item.is_none() && chosen.empty();
    // One that holds no items any more may still have held some at that moment.
    if ((folder.folder.holds_items && takes_all) || !group.items.empty()) groups.push_back(std::move(group));
  }
  if (folders.empty())
    return Error{ErrorKind::not_found, "nothing was backed up at that moment", "nothing was backed up at that moment"};
  if (!is_known) return Error{ErrorKind::not_found, "no such folder at that moment", "no such folder at that moment"};
  if (!request.item.is_none() && groups.empty())
    return Error{ErrorKind::not_found, "no such item at that moment", "no such item at that moment"};
  return groups;
}

// What earlier tries did, by item.
using Earlier = std::map<Id, RestoredItem>;

// Puts the items of one folder back.
class FolderRestore {
 public:
  // `hand_over` gets what is done, a batch at a time, also what was done by the time of an error.
  using HandOver = std::function<void(std::vector<RestoredItem> items)>;
  FolderRestore(const Restore::Parts& parts, const RestoreRequest& request, const Group& group, Earlier earlier,
                ReadBack& read_back, HandOver hand_over)
      : parts_(parts),
        request_(request),
        group_(group),
        earlier_(std::move(earlier)),
        read_back_(read_back),
        hand_over_(std::move(hand_over)) {}

  Status run(mailboxes::MailboxTarget& target, const Deadline& deadline) {
    const std::shared_ptr<ReadContents> read = parts_.memory->compared.at(group_.folder);
    const std::size_t known = read->hashes.size();
    const Status status = put_back(target, read, deadline);
    hand_over_(std::exchange(done_, {}));
    parts_.memory->got_on += read->hashes.size() - known;
    // Where the server tells no ids another try looks for its items by their contents.
    if (status && all_by_id_) *read = {};
    return status;
  }

 private:
  RestoredItem of(const ItemRow& item, Outcome outcome, std::string detail = {}) const {
    RestoredItem one{item.id, group_.target, {}, outcome, std::move(detail)};
    one.received_at = item.head.received_at;
    one.bytes = item.bytes;
    return one;
  }

  void note(RestoredItem item) {
    all_by_id_ = all_by_id_ && !item.target_id.empty();
    done_.push_back(std::move(item));
    if (done_.size() == restored_items_at_once) hand_over_(std::exchange(done_, {}));
  }

  Status put_back(mailboxes::MailboxTarget& target, const std::shared_ptr<ReadContents>& read, const Deadline& deadline) {
    ASSIGN_OR_RETURN(TargetFolder folder, TargetFolder::open(target, group_.target, !request_.dry_run, deadline));
    folder.go_on_with(read);
    const std::vector<const ItemRow*> items = take_earlier(folder);
    RETURN_IF_ERROR(folder.read_hashes(folder.candidates(items), deadline));
    std::vector<const ItemRow*> missing;
    for (const ItemRow* item : items) {
      ASSIGN_OR_RETURN(std::optional<ItemHead> there, folder.take_equal(*item, deadline));
      RestoredItem one = of(*item, Outcome::would);
      if (!there) RETURN_IF_ERROR(take_equal_in_meaning(folder, *item, there, one, deadline));
      if (const auto other = there ? std::nullopt : folder.id_of_same_name(*item);
          other && (request_.overwrites || request_.dry_run)) {
        RETURN_IF_ERROR(write_over(folder, *item, *other, one, deadline));
        note(std::move(one));
        continue;
      }
      if (!there && !request_.dry_run) {
        missing.push_back(item);
        continue;
      }
      if (there) RETURN_IF_ERROR(take_present(folder, *item, *there, one, deadline));
      note(std::move(one));
    }
    return missing.empty() ? done() : add(folder, missing, deadline);
  }

  // What an earlier try did stands where the server has it still, by its id; what is not in it is left to do. It is read back
  // with all else.
  std::vector<const ItemRow*> take_earlier(TargetFolder& folder) {
    std::vector<const ItemRow*> left;
    for (const ItemRow& item : group_.items) {
      const auto found = earlier_.find(item.id);
      if (found != earlier_.end() && stands(folder, found->second)) {
        note(std::move(found->second));
        continue;
      }
      const auto& under_way = parts_.memory->under_way.at(group_.folder);
      if (const auto given = under_way.find(item.id); given != under_way.end()) ours_.insert(*given);
      const bool is_ours = found != earlier_.end() && is_put_back(found->second.outcome);
      if (is_ours) ours_.insert_or_assign(item.id, found->second.outcome);
      left.push_back(&item);
    }
    return left;
  }

  static bool is_put_back(Outcome outcome) { return outcome == Outcome::restored || outcome == Outcome::overwritten; }

  static bool stands(TargetFolder& folder, const RestoredItem& one) {
    return one.outcome == Outcome::failed || (!one.target_id.empty() && folder.take_again(one.target_id));
  }

  // What a server has in its own words is there too.
  Status take_equal_in_meaning(TargetFolder& folder, const ItemRow& item, std::optional<ItemHead>& there, RestoredItem& one,
                               const Deadline& deadline) {
    const auto id = folder.id_of_same_name(item);
    if (!id || folder.read().others.contains(*id)) return done();
    ASSIGN_OR_RETURN(const Meaning meaning, meaning_of({parts_.store, parts_.meaning}, folder, item, *id, deadline));
    if (!meaning.is_equal) folder.read().others.emplace(*id, meaning.differences);
    if (!meaning.is_equal) return done();
    there = folder.take(*id);
    one.detail = equal_in_meaning;
    return done();
  }

  Status take_present(TargetFolder& folder, const ItemRow& item, const ItemHead& there, RestoredItem& one,
                      const Deadline& deadline) {
    one.target_id = there.id;
    const auto ours = ours_.find(item.id);
    one.outcome = ours != ours_.end() ? ours->second : Outcome::present;
    if (!request_.overwrites || restorable(there.flags) == restorable(item.head.flags)) return done();
    one.outcome = Outcome::flags_set;
    one.flags_before = restorable(there.flags);
    one.flags_after = restorable(item.head.flags);
    return request_.dry_run ? done() : folder.set_flags(there.id, item.head.flags, deadline);
  }

  // Another content lies under the item's name: it is written over where that was asked for and loses nothing, else it stays.
  Status write_over(TargetFolder& folder, const ItemRow& item, const std::string& there, RestoredItem& one,
                    const Deadline& deadline) {
    one.target_id = folder.take(there).id;
    const std::string& what = folder.read().others[there];
    one.detail = what.empty() ? "content" : "content: " + what;
    if (!request_.overwrites) {
      one.outcome = Outcome::differs;
      one.detail = "another version of it is there, which stays without --overwrite: " + one.detail;
      return done();
    }
    ASSIGN_OR_RETURN(const bool loses_nothing, is_backed_up(folder, item, there, deadline));
    one.outcome = loses_nothing ? Outcome::overwritten : Outcome::failed;
    if (!loses_nothing) one.detail = "it changed since the last backup: run backup first (mailhold backup run)";
    return loses_nothing && !request_.dry_run ? replace(folder, item, there, one, deadline) : done();
  }

  Status replace(TargetFolder& folder, const ItemRow& item, const std::string& there, RestoredItem& one,
                 const Deadline& deadline) {
    ASSIGN_OR_RETURN(std::optional<std::string> content, backed_up(item, one, deadline));
    if (!content) return done();
    auto& under_way = parts_.memory->under_way.at(group_.folder);
    under_way.emplace(item.id, Outcome::overwritten);
    const Result<std::string> id = folder.replace(there, {item.head, item.form, std::move(*content)}, deadline);
    if (!id && id.error().kind != ErrorKind::denied) return id.error();
    under_way.erase(item.id);
    ++parts_.memory->got_on;
    if (!id) one.outcome = Outcome::failed;
    if (!id) one.detail = reason_of(id.error());
    if (id) one.target_id = *id;
    if (id && !id->empty()) read_back_.give(group_.folder, folder.folder(), *id);
    return done();
  }

  // Whether the mailbox that is written to has, in its own backup, what the server gives under that id: as what is still there,
  // which no retention takes, and to be read.
  Result<bool> is_backed_up(TargetFolder& folder, const ItemRow& item, const std::string& id, const Deadline& deadline) {
    ASSIGN_OR_RETURN(const std::string content, folder.content_of(id, deadline));
    if (content.empty()) return false;
    const Id written = request_.into.is_none() ? request_.mailbox : request_.into;
    ASSIGN_OR_RETURN(const Mailbox mailbox, parts_.book.mailbox(written, deadline));
    return is_in_backup({parts_.book, parts_.store, item.content_ids}, mailbox, content, deadline);
  }

  // The content of an item; without it `one` says why.
  Result<std::optional<std::string>> backed_up(const ItemRow& item, RestoredItem& one, const Deadline& deadline) const {
    Result<std::string> content = parts_.store.retrieve(item.tenant, item.message, deadline, item.content_ids->is_of());
    const bool is_to_come = !content && (content.error().is_temporary() || content.error().kind == ErrorKind::cancelled);
    if (is_to_come) return content.error();
    if (content && item.has_content(crypto::sha256(*content))) return std::optional(std::move(*content));
    one.outcome = Outcome::failed;
    one.detail = content ? "the backup holds another content" : "the backup does not open";
    return std::optional<std::string>();
  }

  static std::string reason_of(const Error& error) { return error.for_peer.empty() ? "the server refuses it" : error.for_peer; }

  Status add(TargetFolder& folder, const std::vector<const ItemRow*>& missing, const Deadline& deadline) {
    std::size_t at = 0;
    std::deque<const ItemRow*> under_way;
    mailboxes::MailboxTarget::Additions additions;
    additions.next = [&]() -> Result<std::optional<mailboxes::Item>> {
      for (; at < missing.size(); ++at) {
        const ItemRow& item = *missing[at];
        RestoredItem one = of(item, Outcome::failed);
        ASSIGN_OR_RETURN(std::optional<std::string> content, backed_up(item, one, deadline));
        if (!content) {
          note(std::move(one));
          continue;
        }
        ++at;
        under_way.push_back(&item);
        return std::optional(mailboxes::Item{item.head, item.form, std::move(*content)});
      }
      return std::optional<mailboxes::Item>();
    };
    additions.added = [&](const Result<std::string>& id) -> Status {
      RestoredItem one = of(*under_way.front(), id ? Outcome::restored : Outcome::failed, id ? "" : reason_of(id.error()));
      one.target_id = id ? *id : "";
      note(std::move(one));
      under_way.pop_front();
      ++parts_.memory->got_on;
      if (id && !id->empty()) read_back_.give(group_.folder, folder.folder(), *id);
      return done();
    };
    const Status status = folder.add_all(additions, deadline);
    // The server may have stored what it did not answer any more.
    for (const ItemRow* item : under_way) parts_.memory->under_way.at(group_.folder).emplace(item->id, Outcome::restored);
    return status;
  }

  const Restore::Parts& parts_;
  const RestoreRequest& request_;
  const Group& group_;
  Earlier earlier_;
  ReadBack& read_back_;
  const HandOver hand_over_;
  std::vector<RestoredItem> done_;  // and not handed over yet
  bool all_by_id_ = true;           // of all that is done
  std::map<Id, Outcome> ours_;      // put back by an earlier try, that was told no id; what they are then
};

}  // namespace

namespace {

// The large ones first, so that none is begun last and alone.
std::vector<std::size_t> by_size(const std::vector<Group>& groups) {
  std::vector<std::size_t> order(groups.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return groups[a].items.size() > groups[b].items.size(); });
  return order;
}

// The items of a report, each once: what an earlier try wrote of one stands until this one writes otherwise.
class ItemsOfReport {
 public:
  explicit ItemsOfReport(RestoreReport& report) : items_(report.items) {
    std::erase_if(items_, [](const RestoredItem& item) { return item.outcome == Outcome::would; });
    for (std::size_t i = 0; i < items_.size(); ++i) places_[items_[i].item] = i;
  }
  Earlier earlier_of(const Group& group) const {
    Earlier earlier;
    for (const ItemRow& item : group.items) {
      if (const auto place = places_.find(item.id); place != places_.end()) earlier[item.id] = items_[place->second];
    }
    return earlier;
  }
  void put(RestoredItem item) {
    const auto [place, is_new] = places_.emplace(item.item, items_.size());
    if (is_new)
      items_.push_back(std::move(item));
    else
      items_[place->second] = std::move(item);
  }

 private:
  std::vector<RestoredItem>& items_;
  std::map<Id, std::size_t> places_;
};

// Before there are threads, so that none of them adds to the map.
void prepare(RestoreMemory::Folders& folders, const std::vector<Group>& groups) {
  for (const Group& group : groups) {
    auto& read = folders[group.folder];
    if (read == nullptr) read = std::make_shared<ReadContents>();
  }
}

// Folders are made one after the other: two sessions that both make the one above them would be in each other's way.
Status make_folders(mailboxes::MailboxTarget& target, const std::vector<Group>& groups, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::vector<mailboxes::Folder> folders, target.folders(deadline));
  std::set<FolderPath> there;
  for (const mailboxes::Folder& folder : folders) {
    if (folder.holds_items) there.insert(folder.path);
  }
  for (const Group& group : groups) {
    if (there.insert(group.target).second) RETURN_IF_ERROR(target.make_folder(group.target, deadline));
  }
  return done();
}

// Compares what the server has of an item with what was backed up, and writes what it finds into the outcome.
Status verify_item(const Restore::Parts& parts, TargetFolder& folder, const ItemRow& item, RestoredItem& one,
                   const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::optional<ItemHead> there, folder.take_for(item, one.target_id, deadline));
  if (!there) {
    one.outcome = Outcome::differs;
    one.detail = not_there;
  } else {
    ASSIGN_OR_RETURN(const std::string content,
                     content_difference({parts.store, parts.meaning}, folder, item, there->id, deadline));
    // Items that were there keep the flags their owner gave them since.
    const std::string what = difference(item, *there, content, one.outcome != Outcome::present);
    one.target_id = there->id;
    if (!what.empty()) {
      one.outcome = Outcome::differs;
      one.detail = what;
    } else if (one.outcome == Outcome::differs) {
      one.outcome = Outcome::present;  // an earlier reading found it otherwise
    }
    if (what.empty()) one.detail = content;
  }
  one.is_read_back = true;
  ++parts.memory->got_on;
  return done();
}

// Reads back what was put into one folder, and writes what it finds into the outcomes.
Status verify_folder(const Restore::Parts& parts, mailboxes::MailboxTarget& target, const Group& group,
                     const std::map<Id, RestoredItem*>& reported, const Deadline& deadline) {
  ASSIGN_OR_RETURN(TargetFolder folder, TargetFolder::open(target, group.target, false, deadline));
  folder.go_on_with(parts.memory->read_back.at(group.folder));
  std::vector<std::pair<const ItemRow*, RestoredItem*>> looked_for;
  std::vector<std::string> ids;
  for (const ItemRow& item : group.items) {
    const auto found = reported.find(item.id);
    if (found == reported.end() || found->second->outcome == Outcome::would) continue;
    if (found->second->outcome == Outcome::failed) continue;
    if (found->second->is_read_back) {
      folder.take_again(found->second->target_id);
      continue;
    }
    looked_for.emplace_back(&item, found->second);
    if (!found->second->target_id.empty()) ids.push_back(found->second->target_id);
  }
  const Status read = folder.read_hashes(ids, deadline);
  const auto& hashes = folder.read().hashes;
  for (const auto& [item, one] : looked_for) {
    // What the server gave before it wanted to be left alone counts, where nothing more needs to be asked.
    const auto hash = hashes.find(one->target_id);
    if (!read && (hash == hashes.end() || !item->has_content(hash->second))) continue;
    RETURN_IF_ERROR(verify_item(parts, folder, *item, *one, deadline));
  }
  return read;
}

}  // namespace

Result<std::unique_ptr<mailboxes::MailboxTarget>> Restore::open(const Deadline& deadline) {
  const std::lock_guard lock(opening_);
  if (deadline.stop.stop_requested()) return Error{ErrorKind::cancelled, "the try is over"};
  return parts_.open_target(deadline);
}

// `work` for every index, a few at a time, each thread over a session of its own, of which the first is given; the first error
// ends all of them. Where the server or the connection gives no more of them all of it goes over that one.
void Restore::side_by_side(const std::vector<std::size_t>& order, std::unique_ptr<mailboxes::MailboxTarget> first,
                           const Work& work, TryEnd& end) {
  std::atomic<std::size_t> next = 0;
  const auto run = [&](std::unique_ptr<mailboxes::MailboxTarget> target) {
    if (target == nullptr) {
      if (next >= order.size()) return;
      auto opened = open(end.deadline());
      if (!opened && server_wants_rest()) end.fail(opened.error());
      if (!opened) return;
      target = std::move(*opened);
    }
    while (!end.failure()) {
      const std::size_t at = next++;
      if (at >= order.size()) return;
      if (const Status worked = work(order[at], *target, end.deadline()); !worked) end.fail(worked.error());
    }
  };
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < std::min(order.size(), restore_sessions_max); ++i) others.emplace_back([&run] { run(nullptr); });
  run(std::move(first));
}

Status Restore::run(RestoreReport& report, const std::function<void()>& progress, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::vector<Group> groups, select(parts_.book, report.request, deadline));
  ASSIGN_OR_RETURN(std::unique_ptr<mailboxes::MailboxTarget> first, open(deadline));
  if (!report.request.dry_run) RETURN_IF_ERROR(make_folders(*first, groups, deadline));
  prepare(parts_.memory->compared, groups);
  prepare(parts_.memory->read_back, groups);
  for (const Group& group : groups) parts_.memory->under_way[group.folder];
  ItemsOfReport items(report);
  TryEnd end(deadline);
  const auto read_back_failed = [&](const Error& error) {
    if (error.is_temporary() && server_wants_rest()) end.fail(error);
  };
  ReadBack read_back([this](const Deadline& until) { return open(until); }, parts_.read_back_items, end.deadline(),
                     read_back_failed);
  std::mutex mutex;
  const auto hand_over = [&](std::vector<RestoredItem> worked_on) {
    const std::lock_guard lock(mutex);
    for (RestoredItem& item : worked_on) items.put(std::move(item));
    if (progress) progress();
  };
  const auto work = [&](std::size_t index, mailboxes::MailboxTarget& target, const Deadline& until) {
    std::unique_lock lock(mutex);
    FolderRestore folder(parts_, report.request, groups[index], items.earlier_of(groups[index]), read_back, hand_over);
    lock.unlock();
    return folder.run(target, until);
  };
  side_by_side(by_size(groups), std::move(first), work, end);
  for (auto& [folder, hashes] : read_back.finish()) parts_.memory->read_back.at(folder)->hashes.merge(hashes);
  if (const auto failure = end.failure()) return *failure;
  return report.request.dry_run ? done() : verify(report, deadline);
}

Status Restore::verify(RestoreReport& report, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::vector<Group> groups, select(parts_.book, report.request, deadline));
  ASSIGN_OR_RETURN(std::unique_ptr<mailboxes::MailboxTarget> first, open(deadline));
  std::map<Id, RestoredItem*> reported;
  for (RestoredItem& item : report.items) reported[item.item] = &item;
  prepare(parts_.memory->read_back, groups);
  const auto work = [&](std::size_t index, mailboxes::MailboxTarget& target, const Deadline& until) {
    return verify_folder(parts_, target, groups[index], reported, until);
  };
  TryEnd end(deadline);
  side_by_side(by_size(groups), std::move(first), work, end);
  if (const auto failure = end.failure()) return *failure;
  report.verified_at = system_clock().now();
  for (RestoredItem& item : report.items) item.is_read_back = false;
  parts_.memory->read_back.clear();
  return done();
}

}  // namespace mailhold::recover
