#include "features/recover/import.h"

#include <algorithm>

#include "base/text.h"
#include "features/recover/failure_reasons.h"
#include "platform/crypto/hash.h"

namespace mailhold::recover {
namespace {

constexpr std::uint64_t batch_bytes_max = 16U << 20;
constexpr std::size_t batch_items_max = 500;

Error bad_frame(const std::string& what) { return Error{ErrorKind::invalid_input, "import: " + what, "import: " + what}; }

}  // namespace

Result<bool> Import::take(std::string_view bytes, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const ImportFrame frame, parse_import_frame(bytes));
  if (frame.kind == ImportFrame::Kind::folder) {
    RETURN_IF_ERROR(open_folder(frame.path, deadline));
    return false;
  }
  if (frame.kind == ImportFrame::Kind::message) {
    if (folder_.id.is_none()) return bad_frame("a message without a folder");
    RETURN_IF_ERROR(take_message(frame, deadline));
    return false;
  }
  if (frame.messages != messages_)
    return bad_frame(std::to_string(messages_) + " messages came, " + std::to_string(frame.messages) + " were sent");
  RETURN_IF_ERROR(keep_batch(deadline));
  return true;
}

Result<ImportReport> Import::run(ipc::Channel& channel, const Deadline& deadline) {
  for (bool over = false; !over;) {
    ASSIGN_OR_RETURN(const ipc::Frame frame, channel.receive(deadline));
    ASSIGN_OR_RETURN(over, take(frame.bytes, deadline));
  }
  return report_;
}

// The folder of that path, made if the mailbox has none.
Status Import::open_folder(const mailboxes::FolderPath& path, const Deadline& deadline) {
  RETURN_IF_ERROR(keep_batch(deadline));
  if (!folder_.id.is_none() && folder_.folder.path == path) return done();
  ASSIGN_OR_RETURN(const std::vector<FolderRow> folders, parts_.book.folders_as_of(mailbox_, moment_, deadline));
  known_.clear();
  const auto found = std::find_if(folders.begin(), folders.end(), [&](const FolderRow& row) { return row.folder.path == path; });
  if (found != folders.end()) {
    folder_ = *found;
    ASSIGN_OR_RETURN(const std::vector<ItemRow> items, parts_.book.items_as_of(folder_, moment_, deadline));
    for (const ItemRow& item : items) known_.insert(item.head.id);
    return done();
  }
  if (folders.size() >= mailboxes::folders_max) return bad_frame("too many folders");
  folder_ = FolderRow();
  folder_.id = Id::random();
  folder_.mailbox = mailbox_.id;
  folder_.tenant = mailbox_.tenant;
  folder_.folder.id = mailboxes::path_text(path);
  folder_.folder.path = path;
  folder_.since = moment_;
  return parts_.book.put_folder(folder_, deadline);
}

Status Import::take_message(const ImportFrame& frame, const Deadline& deadline) {
  mailboxes::ItemHead head;
  head.received_at = frame.received_at;
  head.flags = frame.flags;
  std::string content(frame.content);
  ++messages_;
  const std::string hash = to_hex(crypto::sha256(content));
  head.id = hash + "." + std::to_string(++seen_[folder_.id][hash]);
  head.bytes_claimed = content.size();
  if (!known_.insert(head.id).second) {
    ++report_.present;
    return done();
  }
  batch_bytes_ += content.size();
  batch_.push_back({head.id, mailboxes::ContentForm::mime, std::move(content)});
  heads_.push_back(std::move(head));
  return batch_bytes_ < batch_bytes_max && batch_.size() < batch_items_max ? done() : keep_batch(deadline);
}

// Contents first, then their rows.
Status Import::keep_batch(const Deadline& deadline) {
  if (batch_.empty()) return done();
  ASSIGN_OR_RETURN(const auto kept, keeper_.keep(batch_, deadline));
  FolderStep step;
  step.moment = moment_;
  std::size_t not_kept = 0;
  for (std::size_t i = 0; i < batch_.size(); ++i) {
    if (!kept[i].is_kept) {
      ++not_kept;
      continue;
    }
    ItemRow item;
    item.id = Id::random();
    item.folder = folder_.id;
    item.tenant = folder_.tenant;
    item.message = kept[i].message;
    item.head = heads_[i];
    item.bytes = kept[i].bytes;
    item.day = keeper_.day();
    item.since = moment_;
    step.added.push_back(std::move(item));
  }
  ++folder_.revision;
  step.folder = folder_;
  RETURN_IF_ERROR(parts_.book.apply(step, deadline));
  keeper_.rows_are_written();
  report_.added += step.added.size();
  batch_.clear();
  heads_.clear();
  batch_bytes_ = 0;
  if (not_kept == 0) return done();
  const std::string what = items_not_kept(not_kept);
  return Error{ErrorKind::corrupt, what, "import: the folder " + mailboxes::path_text(folder_.folder.path) + " " + what};
}

}  // namespace mailhold::recover
