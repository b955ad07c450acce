#include "base/bytes.h"
#include "features/recover/backup_rows.h"
#include "features/recover/restore.h"

namespace mailhold::recover {
namespace {

constexpr std::uint8_t first_version = 1;
constexpr std::uint8_t version_with_items = 2;         // behind all else: the items that were asked for
constexpr std::uint8_t version_with_permit = 3;        // and behind these: the mailbox they went into, and what allows it
constexpr std::uint8_t version_of_a_waiting = 4;       // and behind all that: for whom it waits
constexpr std::uint8_t version_of_a_verification = 5;  // and behind that: how it was before, and why it is so still
constexpr std::uint8_t report_version = 6;             // and behind that: of each item its date, size and change of flags

// What of an item follows behind all else.
enum ItemDetails : std::uint8_t { date_and_size = 1, change_of_flags = 2 };

void write_path(ByteWriter& writer, const mailboxes::FolderPath& path) { writer.text(mailboxes::path_text(path)); }

void write_waiting(ByteWriter& writer, const RestoreReport& report) {
  const Waiting& waiting = report.waiting;
  writer.u64(static_cast<std::uint64_t>(waiting.until)).u64(static_cast<std::uint64_t>(waiting.since));
  writer.text(waiting.whom).text(waiting.why).u8(report.only_verifies ? 1 : 0);
  for (const RestoredItem& item : report.items) writer.u8(item.is_read_back ? 1 : 0);
}

void read_waiting(ByteReader& reader, RestoreReport& report) {
  Waiting& waiting = report.waiting;
  waiting.until = static_cast<Milliseconds>(reader.u64());
  waiting.since = static_cast<Milliseconds>(reader.u64());
  waiting.whom = reader.text();
  waiting.why = reader.text();
  report.only_verifies = reader.u8() != 0;
  for (RestoredItem& item : report.items) item.is_read_back = reader.u8() != 0;
}

void write_details(ByteWriter& writer, const RestoredItem& item) {
  const bool has_date = item.received_at != 0 || item.bytes != 0;
  const bool has_flags = !item.flags_before.empty() || !item.flags_after.empty();
  writer.u8(static_cast<std::uint8_t>((has_date ? date_and_size : 0) | (has_flags ? change_of_flags : 0)));
  if (has_date) writer.u64(static_cast<std::uint64_t>(item.received_at)).u64(item.bytes);
  if (!has_flags) return;
  write_texts(writer, item.flags_before);
  write_texts(writer, item.flags_after);
}

void read_details(ByteReader& reader, RestoredItem& item) {
  const std::uint8_t details = reader.u8();
  if ((details & date_and_size) != 0) {
    item.received_at = static_cast<Milliseconds>(reader.u64());
    item.bytes = reader.u64();
  }
  if ((details & change_of_flags) == 0) return;
  item.flags_before = read_texts(reader);
  item.flags_after = read_texts(reader);
}

Result<RestoredItem> read_item(ByteReader& reader) {
  RestoredItem item;
  item.item = Id::from_bytes(reader.raw(Id::size));
  item.folder = mailboxes::parse_path(reader.text());
  item.target_id = reader.text();
  item.outcome = static_cast<Outcome>(reader.u8());
  item.detail = reader.text();
  if (item.outcome < Outcome::present || item.outcome > Outcome::overwritten)
    return Error{ErrorKind::corrupt, "a report of an unknown version"};
  return item;
}

}  // namespace

std::string write_report(const RestoreReport& report) {
  const RestoreRequest& request = report.request;
  ByteWriter writer;
  writer.u8(report_version).raw(request.mailbox.bytes());
  writer.u64(static_cast<std::uint64_t>(request.as_of));
  write_path(writer, request.from);
  writer.raw(request.item.bytes());
  write_path(writer, request.to);
  writer.u8(request.overwrites ? 1 : 0).u8(request.dry_run ? 1 : 0).u8(report.is_over ? 1 : 0).text(report.failure);
  writer.u64(static_cast<std::uint64_t>(report.started_at)).u64(static_cast<std::uint64_t>(report.verified_at));
  writer.u32(static_cast<std::uint32_t>(report.items.size()));
  for (const RestoredItem& item : report.items) {
    writer.raw(item.item.bytes());
    write_path(writer, item.folder);
    writer.text(item.target_id).u8(static_cast<std::uint8_t>(item.outcome)).text(item.detail);
  }
  writer.u32(static_cast<std::uint32_t>(request.items.size()));
  for (const Id& item : request.items) writer.raw(item.bytes());
  writer.raw(request.into.bytes()).text(request.permit).text(request.place);
  write_waiting(writer, report);
  writer.text(report.before).text(report.not_read_back);
  for (const RestoredItem& item : report.items) write_details(writer, item);
  return writer.take();
}

Result<RestoreReport> parse_report(std::string_view bytes) {
  ByteReader reader(bytes);
  RestoreReport report;
  RestoreRequest& request = report.request;
  const std::uint8_t version = reader.u8();
  if (version < first_version || version > report_version) return Error{ErrorKind::corrupt, "a report of an unknown version"};
  request.mailbox = Id::from_bytes(reader.raw(Id::size));
  request.as_of = static_cast<Milliseconds>(reader.u64());
  request.from = mailboxes::parse_path(reader.text());
  request.item = Id::from_bytes(reader.raw(Id::size));
  request.to = mailboxes::parse_path(reader.text());
  request.overwrites = reader.u8() != 0;
  request.dry_run = reader.u8() != 0;
  report.is_over = reader.u8() != 0;
  report.failure = reader.text();
  report.started_at = static_cast<Milliseconds>(reader.u64());
  report.verified_at = static_cast<Milliseconds>(reader.u64());
  for (std::uint32_t left = reader.count(Id::size + 13); left > 0; --left) {
    ASSIGN_OR_RETURN(RestoredItem item, read_item(reader));
    report.items.push_back(std::move(item));
  }
  if (version >= version_with_items) {
    for (std::uint32_t left = reader.count(Id::size); left > 0; --left)
      request.items.push_back(Id::from_bytes(reader.raw(Id::size)));
  }
  if (version >= version_with_permit) {
    request.into = Id::from_bytes(reader.raw(Id::size));
    request.permit = reader.text();
    request.place = reader.text();
  }
  if (version >= version_of_a_waiting) read_waiting(reader, report);
  if (version >= version_of_a_verification) {
    report.before = reader.text();
    report.not_read_back = reader.text();
  }
  if (version >= report_version) {
    for (RestoredItem& item : report.items) read_details(reader, item);
  }
  RETURN_IF_ERROR(reader.finish());
  return report;
}

}  // namespace mailhold::recover
