#include "features/recover/backup_rows.h"

#include "base/bytes.h"
#include "base/short_number.h"

namespace mailhold::recover {
namespace {

constexpr std::uint8_t row_version = 1;
constexpr std::uint8_t chosen_folder_version = 2;  // of a folder of which not all is read
// 1 named its folder and message itself, and had no short numbers; 2 ended with the SHA-256 of the content.
constexpr std::uint8_t item_version = 3;
constexpr std::uint8_t item_version_with_sha256 = 2;
constexpr std::uint8_t mailbox_version = 3;  // 1 had no kind: all were IMAP; 2 no schedule and no types

Error unknown_version() { return {ErrorKind::corrupt, "a row of a backup of an unknown version"}; }

}  // namespace

void write_texts(ByteWriter& writer, const std::vector<std::string>& texts) {
  writer.u32(static_cast<std::uint32_t>(texts.size()));
  for (const std::string& text : texts) writer.text(text);
}

std::vector<std::string> read_texts(ByteReader& reader) {
  std::vector<std::string> texts;
  for (std::uint32_t left = reader.count(4); left > 0; --left) texts.emplace_back(reader.text());
  return texts;
}

std::string write_mailbox(const Mailbox& mailbox) {
  ByteWriter writer;
  writer.u8(mailbox_version).text(mailbox.name).raw(mailbox.connection.bytes()).raw(mailbox.restore_connection.bytes());
  writer.u8(mailbox.paused ? 1 : 0).u8(static_cast<std::uint8_t>(mailbox.state)).text(mailbox.reason);
  writer.u64(static_cast<std::uint64_t>(mailbox.synced_at)).u64(static_cast<std::uint64_t>(mailbox.tried_at));
  writer.u64(mailbox.items).u64(mailbox.unreadable).u8(static_cast<std::uint8_t>(mailbox.kind));
  writer.u8(static_cast<std::uint8_t>(mailbox.schedule.reading)).u32(static_cast<std::uint32_t>(mailbox.schedule.every.count()));
  writer.u8(mailbox.types.bits());
  return writer.take();
}

Status read_mailbox(std::string_view bytes, Mailbox& mailbox) {
  ByteReader reader(bytes);
  const std::uint8_t version = reader.u8();
  if (version < 1 || version > mailbox_version) return unknown_version();
  mailbox.name = reader.text();
  mailbox.connection = Id::from_bytes(reader.raw(Id::size));
  mailbox.restore_connection = Id::from_bytes(reader.raw(Id::size));
  mailbox.paused = reader.u8() != 0;
  mailbox.state = static_cast<MailboxState>(reader.u8());
  mailbox.reason = reader.text();
  mailbox.synced_at = static_cast<Milliseconds>(reader.u64());
  mailbox.tried_at = static_cast<Milliseconds>(reader.u64());
  mailbox.items = reader.u64();
  mailbox.unreadable = reader.u64();
  mailbox.kind = version == 1 ? mailboxes::MailboxKind::imap : static_cast<mailboxes::MailboxKind>(reader.u8());
  mailbox.schedule = {};
  mailbox.types = mailboxes::ItemTypes::all();
  if (version >= 3) {
    mailbox.schedule.reading = static_cast<Reading>(reader.u8());
    mailbox.schedule.every = std::chrono::seconds(reader.u32());
    mailbox.types = mailboxes::ItemTypes::from_bits(reader.u8());
  }
  if (mailbox.schedule.reading > Reading::continuous || mailbox.types.is_none()) return unknown_version();
  const bool is_in_limits = mailbox.schedule.every >= every_min && mailbox.schedule.every <= every_max;
  if (mailbox.schedule.reading == Reading::every && !is_in_limits) return unknown_version();
  if (mailbox.kind != mailboxes::MailboxKind::imap && mailbox.kind != mailboxes::MailboxKind::dav) return unknown_version();
  if (mailbox.state < MailboxState::waiting || mailbox.state > MailboxState::needs_attention) return unknown_version();
  return reader.finish();
}

std::string write_folder_row(const FolderRow& folder) {
  ByteWriter writer;
  const bool is_all = folder.types == mailboxes::ItemTypes::all();
  writer.u8(is_all ? row_version : chosen_folder_version).raw(folder.mailbox.bytes()).text(folder.folder.id);
  write_texts(writer, folder.folder.path);
  writer.u8(static_cast<std::uint8_t>(folder.folder.use)).u8(folder.folder.holds_items ? 1 : 0).text(folder.mark);
  writer.u32(static_cast<std::uint32_t>(folder.pending.size()));
  for (const PendingItem& item : folder.pending) writer.text(item.source_id).u8(item.too_large ? 1 : 0);
  if (!is_all) writer.u8(folder.types.bits());
  return writer.take();
}

Status read_folder_row(std::string_view bytes, FolderRow& folder) {
  ByteReader reader(bytes);
  const std::uint8_t version = reader.u8();
  if (version < row_version || version > chosen_folder_version) return unknown_version();
  const Id mailbox = Id::from_bytes(reader.raw(Id::size));
  folder.folder.id = reader.text();
  folder.folder.path = read_texts(reader);
  folder.folder.use = static_cast<mailboxes::SpecialUse>(reader.u8());
  folder.folder.holds_items = reader.u8() != 0;
  folder.mark = reader.text();
  for (std::uint32_t left = reader.count(5); left > 0; --left) {
    PendingItem item{std::string(reader.text())};
    item.too_large = reader.u8() != 0;
    folder.pending.push_back(std::move(item));
  }
  folder.types = version == row_version ? mailboxes::ItemTypes::all() : mailboxes::ItemTypes::from_bits(reader.u8());
  if (mailbox != folder.mailbox) return Error{ErrorKind::corrupt, "a folder that lies in another mailbox"};
  if (folder.folder.use > mailboxes::SpecialUse::trash) return unknown_version();
  return reader.finish();
}

namespace {

void write_short(ByteWriter& writer, std::string_view text) {
  write_short_number(writer, text.size());
  writer.raw(text);
}

std::string read_short(ByteReader& reader) { return std::string(reader.raw(read_short_number(reader))); }

void write_shorts(ByteWriter& writer, const std::vector<std::string>& texts) {
  write_short_number(writer, texts.size());
  for (const std::string& text : texts) write_short(writer, text);
}

std::vector<std::string> read_shorts(ByteReader& reader) {
  std::vector<std::string> texts;
  for (std::uint64_t left = read_short_number(reader); left > 0 && reader.ok(); --left) texts.push_back(read_short(reader));
  return texts;
}

}  // namespace

std::string write_item(const ItemRow& item) {
  ByteWriter writer;
  writer.u8(item_version);
  write_short(writer, item.head.id);
  writer.u8(static_cast<std::uint8_t>(item.head.type)).u8(static_cast<std::uint8_t>(item.form));
  write_short_number(writer, static_cast<std::uint64_t>(item.head.received_at));
  writer.u16(static_cast<std::uint16_t>(item.head.zone_minutes));
  write_shorts(writer, item.head.flags);
  write_shorts(writer, item.head.categories);
  write_short_number(writer, item.bytes);
  return writer.take();
}

Status read_item(std::string_view bytes, ItemRow& item) {
  ByteReader reader(bytes);
  const std::uint8_t version = reader.u8();
  if (version != item_version && version != item_version_with_sha256) return unknown_version();
  item.head.id = read_short(reader);
  item.head.type = static_cast<mailboxes::ItemType>(reader.u8());
  item.form = static_cast<mailboxes::ContentForm>(reader.u8());
  item.head.received_at = static_cast<Milliseconds>(read_short_number(reader));
  item.head.zone_minutes = static_cast<std::int16_t>(reader.u16());
  item.head.flags = read_shorts(reader);
  item.head.categories = read_shorts(reader);
  item.bytes = read_short_number(reader);
  item.head.bytes_claimed = item.bytes;
  if (version == item_version_with_sha256) read_short(reader);
  return reader.finish();
}

Status read_old_item(std::string_view bytes, ItemRow& item) {
  ByteReader reader(bytes);
  if (reader.u8() != row_version) return unknown_version();
  const Id folder = Id::from_bytes(reader.raw(Id::size));
  const Id message = Id::from_bytes(reader.raw(Id::size));
  item.head.id = reader.text();
  item.head.type = static_cast<mailboxes::ItemType>(reader.u8());
  item.form = static_cast<mailboxes::ContentForm>(reader.u8());
  item.head.received_at = static_cast<Milliseconds>(reader.u64());
  item.head.zone_minutes = static_cast<int>(reader.u32());
  item.head.flags = read_texts(reader);
  item.head.categories = read_texts(reader);
  item.bytes = reader.u64();
  item.head.bytes_claimed = item.bytes;
  reader.text();  // SHA-256 of the content
  if (folder != item.folder || message != item.message) return Error{ErrorKind::corrupt, "an item that lies in another folder"};
  return reader.finish();
}

}  // namespace mailhold::recover
