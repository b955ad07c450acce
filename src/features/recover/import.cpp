#include "features/recover/import.h"

#include <algorithm>

#include "base/text.h"
#include "platform/crypto/hash.h"

namespace mailhold::recover {
namespace {

enum class FrameType : std::uint8_t { folder = 1, message = 2, end = 3 };
enum class AnswerType : std::uint8_t { report = 1, error = 2 };

constexpr std::uint64_t batch_bytes_max = 16U << 20;
constexpr std::size_t batch_items_max = 500;
constexpr std::size_t name_bytes_max = 1024;

Error bad_frame(const std::string& what) { return Error{ErrorKind::invalid_input, "import: " + what, "import: " + what}; }

}  // namespace

std::string folder_frame(const mailboxes::FolderPath& path) {
  ByteWriter writer;
  writer.u8(static_cast<std::uint8_t>(FrameType::folder)).u32(static_cast<std::uint32_t>(path.size()));
  for (const std::string& name : path) writer.text(name);
  return writer.take();
}

std::string message_frame(Milliseconds received_at, const std::vector<std::string>& flags, std::string_view message) {
  ByteWriter writer;
  writer.u8(static_cast<std::uint8_t>(FrameType::message))
      .u64(static_cast<std::uint64_t>(received_at))
      .u32(static_cast<std::uint32_t>(flags.size()));
  for (const std::string& flag : flags) writer.text(flag);
  return writer.raw(message).take();
}

std::string end_frame(std::uint64_t messages) {
  return ByteWriter().u8(static_cast<std::uint8_t>(FrameType::end)).u64(messages).take();
}

std::string write_import_answer(const Result<ImportReport>& report) {
  ByteWriter writer;
  if (report)
    writer.u8(static_cast<std::uint8_t>(AnswerType::report)).u64(report->added).u64(report->present);
  else
    writer.u8(static_cast<std::uint8_t>(AnswerType::error))
        .u8(static_cast<std::uint8_t>(report.error().kind))
        .text(report.error().for_peer.empty() ? report.error().detail : report.error().for_peer);
  return writer.take();
}

Result<ImportReport> parse_import_answer(std::string_view bytes) {
  ByteReader reader(bytes);
  const auto type = static_cast<AnswerType>(reader.u8());
  if (type == AnswerType::report) {
    ImportReport report;
    report.added = reader.u64();
    report.present = reader.u64();
    RETURN_IF_ERROR(reader.finish());
    return report;
  }
  const std::uint8_t kind = reader.u8();
  const std::string what(reader.text());
  RETURN_IF_ERROR(reader.finish());
  if (type != AnswerType::error || kind > static_cast<std::uint8_t>(ErrorKind::bug))
    return Error{ErrorKind::corrupt, "the answer to an import does not read"};
  return Error{static_cast<ErrorKind>(kind), what};
}

Result<bool> Import::take(std::string_view frame, const Deadline& deadline) {
  ByteReader reader(frame);
  switch (static_cast<FrameType>(reader.u8())) {
    case FrameType::folder: {
      mailboxes::FolderPath path;
      const std::uint32_t count = reader.count(4);
      if (count == 0 || count > mailboxes::folder_depth_max) return bad_frame("a folder has no name, or lies too deep");
      for (std::uint32_t i = 0; i < count; ++i) path.emplace_back(reader.text());
      if (!reader.finish()) return bad_frame("a folder does not read");
      for (const std::string& name : path) {
        if (name.empty() || name.size() > name_bytes_max) return bad_frame("the name of a folder is empty or too long");
      }
      RETURN_IF_ERROR(open_folder(std::move(path), deadline));
      return false;
    }
    case FrameType::message:
      if (folder_.id.is_none()) return bad_frame("a message without a folder");
      RETURN_IF_ERROR(take_message(reader, deadline));
      return false;
    case FrameType::end: {
      const std::uint64_t said = reader.u64();
      if (!reader.finish() || said != messages_)
        return bad_frame(std::to_string(messages_) + " messages came, " + std::to_string(said) + " were sent");
      RETURN_IF_ERROR(keep_batch(deadline));
      return true;
    }
  }
  return bad_frame("an unknown frame");
}

Result<ImportReport> Import::run(ipc::Channel& channel, const Deadline& deadline) {
  for (bool over = false; !over;) {
    ASSIGN_OR_RETURN(const ipc::Frame frame, channel.receive(deadline));
    ASSIGN_OR_RETURN(over, take(frame.bytes, deadline));
  }
  return report_;
}

// The folder of that path, made if the mailbox has none.
Status Import::open_folder(mailboxes::FolderPath path, const Deadline& deadline) {
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
  folder_.folder.path = std::move(path);
  folder_.since = moment_;
  return parts_.book.put_folder(folder_, deadline);
}

Status Import::take_message(ByteReader& reader, const Deadline& deadline) {
  mailboxes::ItemHead head;
  head.received_at = static_cast<Milliseconds>(reader.u64()) / 1000 * 1000;
  const std::uint32_t flags = reader.count(4);
  if (flags > import_flags_max) return bad_frame("a message has too many flags");
  for (std::uint32_t i = 0; i < flags; ++i) head.flags.emplace_back(reader.text());
  std::string content(reader.rest());
  if (!reader.ok() || content.empty() || content.size() > import_message_bytes_max || head.received_at < 0)
    return bad_frame("a message is empty, too large or does not read");
  std::sort(head.flags.begin(), head.flags.end());
  ++messages_;
  const std::string hash = to_hex(crypto::sha256(content));
  head.id = hash + "." + std::to_string(++seen_[folder_.folder.path][hash]);
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
  for (std::size_t i = 0; i < batch_.size(); ++i) {
    ItemRow item;
    item.id = Id::random();
    item.folder = folder_.id;
    item.tenant = folder_.tenant;
    item.message = kept[i].message;
    item.head = heads_[i];
    item.bytes = kept[i].bytes;
    item.sha256 = kept[i].sha256;
    item.day = keeper_.day();
    item.since = moment_;
    step.added.push_back(std::move(item));
  }
  ++folder_.revision;
  step.folder = folder_;
  RETURN_IF_ERROR(parts_.book.apply(step, deadline));
  report_.added += batch_.size();
  batch_.clear();
  heads_.clear();
  batch_bytes_ = 0;
  return done();
}

}  // namespace mailhold::recover
