#include "features/recover/proof.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/random.h"
#include "features/recover/comparison.h"
#include "features/recover/target_folder.h"
#include "platform/crypto/hash.h"

namespace mailhold::recover {
namespace {

constexpr std::uint8_t record_version = 1;
constexpr std::uint8_t record_version_put_off = 2;  // behind all else: until when
constexpr std::size_t differences_max = 100;

std::uint64_t random_below(std::uint64_t count) {
  // 64 random bits for at most millions: the bias is below one in a trillion.
  return ByteReader(random_bytes(8)).u64() % count;
}

// Each of a stream of items is in the sample with the same chance (reservoir sampling).
class Sample {
 public:
  explicit Sample(std::size_t size) : size_(size) {}
  void offer(const ChosenItem& item) {
    ++seen_;
    if (items_.size() < size_) {
      items_.push_back(item);
    } else if (const std::uint64_t at = random_below(seen_); at < size_) {
      items_[at] = item;
    }
  }
  const std::vector<ChosenItem>& items() const { return items_; }

 private:
  const std::size_t size_;
  std::uint64_t seen_ = 0;
  std::vector<ChosenItem> items_;
};

void differs(ProofRecord& record, Id item, std::string what) {
  ++record.differing;
  if (record.differences.size() < differences_max) record.differences.push_back({item, std::move(what)});
}

}  // namespace

Result<std::vector<ChosenItem>> choose_for_proof(BackupBook& book, const Mailbox& mailbox, std::size_t count,
                                                 const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::vector<FolderRow> folders, book.folders_as_of(mailbox, mailbox.synced_at, deadline));
  std::map<mailboxes::SpecialUse, Sample> of_each_use;
  std::optional<ChosenItem> newest, oldest;
  Sample of_each_collection(count), by_chance(count);
  for (const FolderRow& folder : folders) {
    ASSIGN_OR_RETURN(const std::vector<ItemRow> items, book.items_as_of(folder, mailbox.synced_at, deadline));
    Sample of_this(1);
    for (const ItemRow& item : items) {
      if (item.form == mailboxes::ContentForm::exchange_stream) continue;
      const ChosenItem offered{item, folder.folder.path};
      of_this.offer(offered);
      if (mailbox.kind == mailboxes::MailboxKind::imap)
        of_each_use.try_emplace(folder.folder.use, 1).first->second.offer(offered);
      if (!newest || item.head.received_at > newest->item.head.received_at) newest = offered;
      if (!oldest || item.head.received_at < oldest->item.head.received_at) oldest = offered;
      by_chance.offer(offered);
    }
    if (mailbox.kind == mailboxes::MailboxKind::dav && !of_this.items().empty())
      of_each_collection.offer(of_this.items().front());
  }
  std::vector<ChosenItem> chosen;
  std::set<Id> known;
  const auto take = [&](const ChosenItem& each) {
    if (known.insert(each.item.id).second) chosen.push_back(each);
  };
  // Events and contacts have no date: none of them is the newest.
  if (newest && mailbox.kind == mailboxes::MailboxKind::imap) take(*newest);
  if (oldest && mailbox.kind == mailboxes::MailboxKind::imap) take(*oldest);
  for (const auto& [use, sample] : of_each_use) take(sample.items().front());
  for (const ChosenItem& each : of_each_collection.items()) take(each);
  for (const ChosenItem& each : by_chance.items()) {
    if (chosen.size() < count) take(each);
  }
  return chosen;
}

Status Proof::run(const Mailbox& mailbox, std::size_t count, ProofRecord& record, const Deadline& deadline) {
  RETURN_IF_ERROR(clean_up(record, deadline));
  ASSIGN_OR_RETURN(std::vector<ChosenItem> items, choose_for_proof(parts_.book, mailbox, count, deadline));
  if (items.empty()) return Error{ErrorKind::not_found, "nothing was backed up yet", "nothing was backed up yet"};
  // Before anything is written down: where there is no session, nothing is left to be cleaned up.
  ASSIGN_OR_RETURN(std::unique_ptr<mailboxes::ScratchTarget> target, parts_.open_target(deadline));
  ProofRecord found = record;
  found.as_of = mailbox.synced_at;
  found.items = found.bytes = found.differing = 0;
  found.differences.clear();
  found.scratch = record.scratch = record.job;
  RETURN_IF_ERROR(parts_.book.put_proof(record, deadline));

  Status outcome = done();
  if (auto added = add_all(std::move(target), std::move(items), found, deadline); added)
    outcome = compare_all(*added, found, deadline);
  else
    outcome = added.error();
  if (!outcome && outcome.error().is_temporary()) return outcome;
  const Status cleaned = clean_up(record, deadline);
  RETURN_IF_ERROR(outcome);
  found.scratch = record.scratch;
  found.proved_at = parts_.clock.now();
  found.outcome = found.differing == 0 ? ProofOutcome::passed : ProofOutcome::failed;
  record = std::move(found);
  RETURN_IF_ERROR(parts_.book.put_proof(record, deadline));
  return cleaned;
}

Status Proof::clean_up(ProofRecord& record, const Deadline& deadline) {
  if (record.scratch.is_none()) return done();
  ASSIGN_OR_RETURN(const auto target, parts_.open_target(deadline));
  RETURN_IF_ERROR(target->remove_scratch(record.scratch, deadline));
  record.scratch = Id();
  return parts_.book.put_proof(record, deadline);
}

// In folders of their own all names are free; items of two collections may have the same one.
Result<Proof::AddedTo> Proof::add_all(std::unique_ptr<mailboxes::ScratchTarget> target, std::vector<ChosenItem> items,
                                      ProofRecord& record, const Deadline& deadline) {
  std::map<mailboxes::FolderPath, mailboxes::Folder> scratches;  // by the folder that the items are from, if they have names
  AddedTo added;
  for (ChosenItem& each : items) {
    if (deadline.stop.stop_requested()) return Error{ErrorKind::cancelled, "the proof was stopped"};
    const bool is_named = !mailboxes::item_name(each.item.head.id).empty();
    const mailboxes::FolderPath like = is_named ? each.folder : mailboxes::FolderPath();
    if (!scratches.contains(like)) {
      ASSIGN_OR_RETURN(scratches[like], target->make_scratch(record.scratch, like, deadline));
    }
    if (is_named)
      each.item.head.id = each.item.id.text() + (each.item.form == mailboxes::ContentForm::vcard ? ".vcf" : ".ics") + "\n";
    const mailboxes::Folder& scratch = scratches.at(like);
    RETURN_IF_ERROR(add(*target, scratch, std::move(each.item), added[scratch.path], record, deadline));
  }
  return added;
}

Status Proof::add(mailboxes::ScratchTarget& target, const mailboxes::Folder& scratch, ItemRow item, std::vector<Added>& added,
                  ProofRecord& record, const Deadline& deadline) {
  ++record.items;
  record.bytes += item.bytes;
  Result<std::string> content = parts_.store.retrieve(item.tenant, item.message, deadline, item.content_ids->is_of());
  if (!content && content.error().is_temporary()) return content.error();
  if (!content || !item.has_content(crypto::sha256(*content))) {
    differs(record, item.id, content ? "the backup holds another content" : "the backup does not open");
    return done();
  }
  mailboxes::ItemHead head = item.head;
  head.flags = restorable(head.flags);
  const Result<std::string> id = target.add(scratch, {std::move(head), item.form, std::move(*content)}, deadline);
  if (!id && id.error().kind != ErrorKind::denied) return id.error();
  if (id)
    added.push_back({std::move(item), *id});
  else
    differs(record, item.id, "the server refuses it");
  return done();
}

Status Proof::compare_all(const AddedTo& added, ProofRecord& record, const Deadline& deadline) {
  // Another session, so that what is read comes from the server and not from a session's memory.
  ASSIGN_OR_RETURN(const auto target, parts_.open_target(deadline));
  for (const auto& [path, items] : added) {
    ASSIGN_OR_RETURN(TargetFolder folder, TargetFolder::open(*target, path, false, deadline));
    for (const auto& [item, target_id] : items) {
      ASSIGN_OR_RETURN(const std::optional<mailboxes::ItemHead> there, folder.take_for(item, target_id, deadline));
      if (!there) {
        differs(record, item.id, "it is not there");
        continue;
      }
      ASSIGN_OR_RETURN(const std::string content,
                       content_difference({parts_.store, parts_.meaning}, folder, item, there->id, deadline));
      if (std::string what = difference(item, *there, content, true); !what.empty()) differs(record, item.id, std::move(what));
    }
  }
  return done();
}

std::string write_proof(const ProofRecord& record) {
  ByteWriter writer;
  const bool is_put_off = record.put_off.until != 0;
  writer.u8(is_put_off ? record_version_put_off : record_version)
      .raw(record.job.bytes())
      .raw(record.scratch.bytes())
      .u8(record.is_over ? 1 : 0);
  writer.u64(static_cast<std::uint64_t>(record.started_at)).u64(static_cast<std::uint64_t>(record.proved_at));
  writer.u64(static_cast<std::uint64_t>(record.as_of)).u8(static_cast<std::uint8_t>(record.outcome));
  writer.u64(record.items).u64(record.bytes).u64(record.differing).text(record.trouble);
  writer.u32(static_cast<std::uint32_t>(record.differences.size()));
  for (const ProofDifference& each : record.differences) writer.raw(each.item.bytes()).text(each.what);
  if (is_put_off)
    writer.u64(static_cast<std::uint64_t>(record.put_off.until))
        .u64(static_cast<std::uint64_t>(record.put_off.begun))
        .u32(record.put_off.items);
  return writer.take();
}

Status read_proof(std::string_view bytes, ProofRecord& record) {
  ByteReader reader(bytes);
  const std::uint8_t version = reader.u8();
  if (version < record_version || version > record_version_put_off)
    return Error{ErrorKind::corrupt, "the record of a proof of an unknown version"};
  record.job = Id::from_bytes(reader.raw(Id::size));
  record.scratch = Id::from_bytes(reader.raw(Id::size));
  record.is_over = reader.u8() != 0;
  record.started_at = static_cast<Milliseconds>(reader.u64());
  record.proved_at = static_cast<Milliseconds>(reader.u64());
  record.as_of = static_cast<Milliseconds>(reader.u64());
  record.outcome = static_cast<ProofOutcome>(reader.u8());
  record.items = reader.u64();
  record.bytes = reader.u64();
  record.differing = reader.u64();
  record.trouble = reader.text();
  for (std::uint32_t left = reader.count(Id::size + 4); left > 0; --left) {
    ProofDifference each;
    each.item = Id::from_bytes(reader.raw(Id::size));
    each.what = reader.text();
    record.differences.push_back(std::move(each));
  }
  if (version == record_version_put_off) {
    record.put_off.until = static_cast<Milliseconds>(reader.u64());
    record.put_off.begun = static_cast<Milliseconds>(reader.u64());
    record.put_off.items = reader.u32();
  }
  if (record.outcome > ProofOutcome::failed) return Error{ErrorKind::corrupt, "the record of a proof of an unknown version"};
  return reader.finish();
}

}  // namespace mailhold::recover
