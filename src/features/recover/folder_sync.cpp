#include "features/recover/folder_sync.h"

#include <algorithm>

#include "features/recover/failure_reasons.h"

namespace mailhold::recover {

using mailboxes::Changes;
using mailboxes::ItemHead;
using mailboxes::ItemType;
using mailboxes::ItemTypes;

namespace {

bool is_same(const ItemHead& a, const ItemHead& b) {
  return a.received_at == b.received_at && a.zone_minutes == b.zone_minutes && a.flags == b.flags && a.categories == b.categories;
}

}  // namespace

Status FolderSync::load(const Deadline& deadline) {
  ASSIGN_OR_RETURN(std::vector<ItemRow> items, run_.book.items_as_of(row_, run_.moment, deadline));
  for (ItemRow& item : items) {
    std::string id = item.head.id;
    known_.insert_or_assign(std::move(id), std::move(item));
  }
  // A mark says nothing of items that were left out when it was made: with other types everything is listed once.
  const ItemTypes types = chosen_.is_all ? ItemTypes::all() : chosen_.types;
  if (row_.types != types) {
    row_.types = types;
    row_.mark.clear();
    row_.pending.clear();
  }
  for (const PendingItem& item : row_.pending) pending_[item.source_id] = item.too_large;
  return done();
}

// Items of types that are not chosen. One whose type the server does not tell is not left out: it could be what was chosen.
void FolderSync::leave_out_others(std::vector<ItemHead>& heads) const {
  if (chosen_.is_all) return;
  std::erase_if(heads, [&](const ItemHead& head) { return head.type_is_told && !chosen_.types.has(head.type); });
  for (ItemHead& head : heads) {
    for (const ItemType type : {ItemType::event, ItemType::task, ItemType::note}) {
      if (!chosen_.types.has(head.type) && chosen_.types.has(type)) head.type = type;
    }
  }
}

// What has become an item of a type that is not chosen is not what was backed up under its name any more.
void FolderSync::end_other_types(Changes& changes) const {
  for (const ItemHead& head : changes.items) {
    const std::string_view name = mailboxes::item_name(head.id);
    if (!name.empty() && head.type_is_told && !chosen_.types.has(head.type)) changes.gone.push_back(std::string(name) + '\n');
  }
}

// What was backed up before its type was taken out of the choice stays as it is.
bool FolderSync::is_read(const std::string& id) const {
  const auto known = known_.find(id);
  return chosen_.is_all || known == known_.end() || chosen_.types.has(known->second.head.type);
}

Status FolderSync::step(bool& more, const Deadline& deadline) {
  ASSIGN_OR_RETURN(Changes changes, heard(source_.changes(row_.folder, row_.mark, run_.settings.step_items, deadline)));
  if (changes.mark.size() > mailboxes::mark_bytes_max) return Error{ErrorKind::corrupt, "the source gives a mark without end"};
  if (changes.more && changes.mark == row_.mark) return Error{ErrorKind::corrupt, "the source does not come to an end"};
  if (!chosen_.is_all) end_other_types(changes);
  leave_out_others(changes.items);
  FolderStep step;
  step.moment = run_.moment;
  replaced_.clear();
  Status taken = take(changes, step, deadline);
  const bool counts_otherwise = taken && chosen_.is_all && changes.count && *changes.count != known_.size() + pending_.size();
  if (!changes.more && counts_otherwise && !was_reconciled_) taken = reconcile(step, deadline);
  if (taken && chosen_.is_all && !changes.more) taken = count_unnamed(changes.count, deadline);
  if (!taken) {
    // Why it broke off is what the caller must know; what cannot be kept now is fetched again.
    (void)write_rows(step, deadline);
    return taken;
  }
  // The contents are durable by now; only then the mark moves, together with the rows.
  row_.mark = changes.mark;
  row_.pending = pending();
  ++row_.revision;
  step.folder = row_;
  RETURN_IF_ERROR(run_.book.apply(step, deadline));
  more = changes.more;
  return done();
}

// What is durable becomes rows before the step is over, so that little is fetched again where it breaks off, and one who gives
// little at a time is come to an end with. The mark stays: the next sync is told all of it again, and knows these. What ends
// another version waits until it is told whole.
Status FolderSync::write_rows(FolderStep& step, const Deadline& deadline) {
  std::set<Id> changed;
  for (const auto& [item, since] : step.closed) changed.insert(item);
  const auto waits = [&](const ItemRow& item) {
    return changed.contains(item.id) || replaced_.contains(mailboxes::item_name(item.head.id));
  };
  const auto first = std::stable_partition(step.added.begin(), step.added.end(), waits);
  if (first == step.added.end()) return done();
  row_.pending = pending();
  ++row_.revision;
  FolderStep part;
  part.folder = row_;
  part.added.assign(std::make_move_iterator(first), std::make_move_iterator(step.added.end()));
  part.moment = run_.moment;
  step.added.erase(first, step.added.end());
  return run_.book.apply(part, deadline);
}

Status FolderSync::take(const Changes& changes, FolderStep& step, const Deadline& deadline) {
  for (const std::string& id : changes.gone) {
    const std::string_view name = mailboxes::item_name(id);
    const bool is_any_version = !name.empty() && id.size() == name.size() + 1;
    const std::vector<std::string> gone = is_any_version ? versions_of(name) : std::vector<std::string>{id};
    if (is_any_version && !gone.empty()) replaced_.emplace(name);
    for (const std::string& each : gone) {
      if (is_read(each)) take_gone(each, step);
    }
  }
  if (changes.present) {
    const std::set<std::string> present(changes.present->begin(), changes.present->end());
    std::vector<std::string> gone;
    for (const auto& [id, item] : known_) {
      if (!present.contains(id) && is_read(id)) gone.push_back(id);
    }
    for (const auto& [id, too_large] : pending_) {
      if (!present.contains(id)) gone.push_back(id);
    }
    for (const std::string& id : gone) take_gone(id, step);
  }
  std::vector<ItemHead> wanted;
  for (const ItemHead& head : changes.items) {
    if (const std::string_view name = mailboxes::item_name(head.id); !name.empty()) take_other_versions(name, head.id, step);
    const auto known = known_.find(head.id);
    if (known == known_.end())
      wanted.push_back(head);
    else if (!is_same(known->second.head, head))
      take_changed(known->second, head, step);
  }
  if (!changes.more && !pending_.empty()) {
    // What was not given the last time is asked for again, with its flags of now.
    const bool can_be_read = std::any_of(pending_.begin(), pending_.end(), [](const auto& each) { return !each.second; });
    if (can_be_read) {
      ASSIGN_OR_RETURN(std::vector<ItemHead> heads, heard(source_.list(row_.folder, deadline)));
      leave_out_others(heads);
      for (const ItemHead& head : heads) {
        const auto found = pending_.find(head.id);
        if (found != pending_.end() && !found->second) wanted.push_back(head);
      }
    }
  }
  return fetch_new(wanted, step, deadline);
}

// The source contradicts itself: everything it lists is compared with what is known.
Status FolderSync::reconcile(FolderStep& step, const Deadline& deadline) {
  was_reconciled_ = true;
  Changes all;
  ASSIGN_OR_RETURN(all.items, heard(source_.list(row_.folder, deadline)));
  all.present.emplace();
  for (const ItemHead& head : all.items) all.present->push_back(head.id);
  all.more = true;  // pending items are in the list already
  return take(all, step, deadline);
}

// What it counts before and after it named everything, and did not name, has no id that it could be asked for by.
Status FolderSync::count_unnamed(std::optional<std::uint64_t> counted, const Deadline& deadline) {
  const std::uint64_t named = known_.size() + pending_.size();
  if (!counted || *counted <= named) return done();
  ASSIGN_OR_RETURN(const std::optional<std::uint64_t> now, heard(source_.count(row_.folder, deadline)));
  const std::uint64_t there = std::min(*counted, now.value_or(*counted));
  unnamed_ = there > named ? there - named : 0;
  return done();
}

Status FolderSync::fetch_new(const std::vector<ItemHead>& heads, FolderStep& step, const Deadline& deadline) {
  std::vector<std::string> ids;
  unread_.clear();
  for (const ItemHead& head : heads) {
    const auto found = pending_.find(head.id);
    if (found != pending_.end() && found->second) continue;
    if (unread_.emplace(head.id, head).second) ids.push_back(head.id);
  }
  if (ids.empty()) return done();
  RETURN_IF_ERROR(fetch_some(ids, step, deadline));
  // One message that the server cannot read must not hide the others of its batch.
  std::size_t tries = 0;
  for (const std::string& id : ids) {
    const bool was_asked_alone = pending_.contains(id) && !short_.contains(id);
    if (!unread_.contains(id) || was_asked_alone || tries == run_.settings.single_tries_max) continue;
    ++tries;
    RETURN_IF_ERROR(fetch_some({id}, step, deadline));
  }
  for (const auto& [id, head] : unread_) {
    pending_.emplace(id, false);
    is_refused_ = pending_.size() > pending_max;
    if (is_refused_) return Error{ErrorKind::denied, "the source lists many items and does not give them"};
  }
  if (!not_kept_.empty() && pending_.size() > pending_max)
    return Error{ErrorKind::corrupt, "many contents here are damaged", "a folder " + items_not_kept(not_kept_.size())};
  unread_.clear();
  short_.clear();
  return done();
}

// A message that is shorter than the source claims may have been cut off by a server in trouble: it is asked for once more, and
// then taken as it comes, unless that is even less. Some servers claim too much of everything, and are not asked so for ever.
bool FolderSync::is_asked_again(const Content& content) {
  const std::uint64_t claimed = unread_.at(content.id).bytes_claimed;
  if (content.form != mailboxes::ContentForm::mime || content.bytes.size() >= claimed) return false;
  const auto before = short_.find(content.id);
  if (before != short_.end()) return content.bytes.size() < before->second;
  if (asked_again_ == run_.settings.short_tries_max) return false;
  ++asked_again_;
  short_.emplace(content.id, content.bytes.size());
  return true;
}

Status FolderSync::fetch_some(const std::vector<std::string>& ids, FolderStep& step, const Deadline& deadline) {
  mailboxes::MailboxSource::Sink sink;
  Status own = done();  // of ours, which is no word of the source
  sink.take = [&](Content content) -> Status {
    if (!unread_.contains(content.id)) return done();
    if (content.bytes.empty()) return done();  // no message is empty: a server that gives none
    if (is_asked_again(content)) return done();
    if (!given_.insert(content.id).second) return done();
    batch_bytes_ += content.bytes.size();
    batch_.push_back(std::move(content));
    if (batch_bytes_ < run_.settings.batch_bytes) return done();
    take_kept(queue_.take_kept(), step);
    if (step.added.size() >= run_.settings.rows_at_once) {
      own = write_rows(step, deadline);
      if (own) own = run_.has_rows(*this);
      RETURN_IF_ERROR(own);
    }
    return give_batch(deadline);
  };
  sink.too_large = [&](const std::string& id, std::uint64_t) {
    pending_[id] = true;
    unread_.erase(id);
  };
  const Status fetched = source_.fetch(row_.folder, ids, sink, deadline);
  RETURN_IF_ERROR(give_batch(deadline));
  std::vector<KeepingQueue::Kept> rest;
  RETURN_IF_ERROR(queue_.finish(rest));
  take_kept(std::move(rest), step);
  given_.clear();
  RETURN_IF_ERROR(own);
  // What was refused is missing from what was handed over, and is looked after there.
  if (!fetched && fetched.error().kind != ErrorKind::denied) return fetched;
  return done();
}

Status FolderSync::give_batch(const Deadline& deadline) {
  if (batch_.empty()) return done();
  batch_bytes_ = 0;
  return queue_.give(std::exchange(batch_, {}), deadline);
}

// What is durable becomes rows of the step.
void FolderSync::take_kept(std::vector<KeepingQueue::Kept> kept, FolderStep& step) {
  // In the order of the index of contents, whose pages then are filled.
  std::ranges::sort(kept, {}, [](const KeepingQueue::Kept& one) { return one.content.message; });
  for (KeepingQueue::Kept& one : kept) {
    const auto head = unread_.find(one.source_id);
    if (head == unread_.end()) continue;
    if (!one.content.is_kept) {
      pending_[one.source_id] = false;
      not_kept_.insert(one.source_id);
      unread_.erase(head);
      continue;
    }
    ItemRow item;
    item.id = new_item_id(run_.moment, run_.next_item++);
    item.folder = row_.id;
    item.tenant = row_.tenant;
    item.message = one.content.message;
    item.head = head->second;
    item.form = one.form;
    item.bytes = one.content.bytes;
    item.day = day_;
    item.since = run_.moment;
    ++progress_.items_new;
    progress_.bytes += item.bytes;
    pending_.erase(item.head.id);
    not_kept_.erase(item.head.id);
    unread_.erase(head);
    known_.insert_or_assign(item.head.id, item);
    step.added.push_back(std::move(item));
  }
}

// Only a version of this very sync can be in the step: to look for every other one would take a search for each item.
std::vector<ItemRow>::iterator FolderSync::added_in(FolderStep& step, const ItemRow& known) const {
  if (known.since != run_.moment) return step.added.end();
  return std::ranges::find(step.added, known.id, &ItemRow::id);
}

void FolderSync::take_changed(const ItemRow& known, const ItemHead& head, FolderStep& step) {
  ItemRow item = known;
  item.head.flags = head.flags;
  item.head.categories = head.categories;
  item.head.received_at = head.received_at;
  item.head.zone_minutes = head.zone_minutes;
  ++progress_.items_changed;
  const auto added = added_in(step, known);
  if (added != step.added.end()) {
    added->head = item.head;
  } else {
    // A version of this very sync is written over.
    if (item.since != run_.moment) step.closed.emplace_back(item.id, item.since);
    item.since = run_.moment;
    step.added.push_back(item);
  }
  known_.insert_or_assign(item.head.id, std::move(item));
}

void FolderSync::take_gone(const std::string& source_id, FolderStep& step) {
  pending_.erase(source_id);
  not_kept_.erase(source_id);
  const auto found = known_.find(source_id);
  if (found == known_.end()) return;
  ++progress_.items_gone;
  const Id id = found->second.id;
  const auto added = added_in(step, found->second);
  if (added != step.added.end())
    step.added.erase(added);
  else
    step.closed.emplace_back(id, found->second.since);
  known_.erase(found);
}

std::vector<std::string> FolderSync::versions_of(std::string_view name) const {
  const std::string begin = std::string(name) + "\n";
  std::vector<std::string> versions;
  const auto collect = [&](const auto& ids) {
    for (auto at = ids.lower_bound(begin); at != ids.end() && at->first.starts_with(begin); ++at) versions.push_back(at->first);
  };
  collect(known_);
  collect(pending_);
  return versions;
}

// Every version of the name but one.
void FolderSync::take_other_versions(std::string_view name, std::string_view except, FolderStep& step) {
  std::vector<std::string> gone = versions_of(name);
  std::erase(gone, except);
  if (!gone.empty()) replaced_.emplace(name);
  for (const std::string& id : gone) take_gone(id, step);
}

std::vector<PendingItem> FolderSync::pending() const {
  std::vector<PendingItem> items;
  for (const auto& [id, too_large] : pending_) items.push_back({id, too_large});
  return items;
}

}  // namespace mailhold::recover
