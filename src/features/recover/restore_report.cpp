#include "base/bytes.h"
#include "features/recover/restore.h"

namespace mailhold::recover {
namespace {

constexpr std::uint8_t first_version = 1;
constexpr std::uint8_t version_with_items = 2;  // behind all else: the items that were asked for
constexpr std::uint8_t report_version = 3;      // and behind these: the mailbox they went into, and what allows it

void write_path(ByteWriter& writer, const mailboxes::FolderPath& path) { writer.text(mailboxes::path_text(path)); }

}  // namespace

std::string write_report(const RestoreReport& report) {
  const RestoreRequest& request = report.request;
  ByteWriter writer;
  writer.u8(report_version).raw(request.mailbox.bytes()).u64(static_cast<std::uint64_t>(request.as_of));
  write_path(writer, request.from);
  writer.raw(request.item.bytes());
  write_path(writer, request.to);
  writer.u8(request.sets_flags ? 1 : 0).u8(request.dry_run ? 1 : 0).u8(report.is_over ? 1 : 0).text(report.failure);
  writer.u64(static_cast<std::uint64_t>(report.started_at)).u64(static_cast<std::uint64_t>(report.verified_at));
  writer.u32(static_cast<std::uint32_t>(report.items.size()));
  for (const RestoredItem& item : report.items) {
    writer.raw(item.item.bytes());
    write_path(writer, item.folder);
    writer.text(item.target_id).u8(static_cast<std::uint8_t>(item.outcome)).text(item.detail);
  }
  writer.u32(static_cast<std::uint32_t>(request.items.size()));
  for (const Id& item : request.items) writer.raw(item.bytes());
  return writer.raw(request.into.bytes()).text(request.permit).text(request.place).take();
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
  request.sets_flags = reader.u8() != 0;
  request.dry_run = reader.u8() != 0;
  report.is_over = reader.u8() != 0;
  report.failure = reader.text();
  report.started_at = static_cast<Milliseconds>(reader.u64());
  report.verified_at = static_cast<Milliseconds>(reader.u64());
  for (std::uint32_t left = reader.count(Id::size + 13); left > 0; --left) {
    RestoredItem item;
    item.item = Id::from_bytes(reader.raw(Id::size));
    item.folder = mailboxes::parse_path(reader.text());
    item.target_id = reader.text();
    item.outcome = static_cast<Outcome>(reader.u8());
    item.detail = reader.text();
    if (item.outcome < Outcome::present || item.outcome > Outcome::failed)
      return Error{ErrorKind::corrupt, "a report of an unknown version"};
    report.items.push_back(std::move(item));
  }
  if (version >= version_with_items) {
    for (std::uint32_t left = reader.count(Id::size); left > 0; --left)
      request.items.push_back(Id::from_bytes(reader.raw(Id::size)));
  }
  if (version == report_version) {
    request.into = Id::from_bytes(reader.raw(Id::size));
    request.permit = reader.text();
    request.place = reader.text();
  }
  RETURN_IF_ERROR(reader.finish());
  return report;
}

}  // namespace mailhold::recover
