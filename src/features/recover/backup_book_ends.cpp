// What ends in the book: versions that are over, contents that nothing names any more, mailboxes that are removed.
#include "base/log.h"
#include "features/recover/backup_book.h"
#include "features/recover/item_table.h"

namespace mailhold::recover {
namespace {

using records::Value;
using records::Values;

Value bytes_of(Id id) { return Value::bytes_of(id.bytes()); }

}  // namespace

Result<std::vector<FolderRow>> BackupBook::all_folders(const Mailbox& mailbox, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT folder, since, until, revision, sealed FROM backup_folders WHERE mailbox = $1"
                                  " ORDER BY folder, since",
                                  {bytes_of(mailbox.id)}, deadline));
  std::vector<FolderRow> folders;
  for (const Values& row : rows) {
    ASSIGN_OR_RETURN(FolderRow folder, open_folder(row, mailbox, deadline));
    folders.push_back(std::move(folder));
  }
  return folders;
}

Result<BackupBook::EndedVersions> BackupBook::ended_versions(const FolderRow& folder, Milliseconds until,
                                                             const VersionMark& after, std::size_t limit,
                                                             const Deadline& deadline) {
  ASSIGN_OR_RETURN(
      const records::Rows rows,
      records_.query(select_items + "WHERE " + in_folder +
                         " AND until <= $2 AND (until, item, since) > ($3, $4, $5) ORDER BY until, item, since LIMIT $6",
                     {bytes_of(folder.id), until, after.until, bytes_of(after.item), after.since, std::uint64_t{limit}},
                     deadline));
  EndedVersions ended;
  ended.mark = after;
  ended.read = rows.size();
  for (const Values& row : rows) {
    ended.mark = {row[2].number(), Id::from_bytes(row[0].bytes()), row[1].number()};
    Result<std::optional<ItemRow>> version = open_item(folder.tenant, row, deadline);
    if (!version && version.error().is_temporary()) return version.error();
    if (version && *version)
      ended.versions.push_back(std::move(**version));
    else  // what it is cannot be known, so that nothing says that it is over
      log_error("backup", "a version of item " + ended.mark.item.text() + " does not open: " +
                              (version ? "its day was forgotten" : std::string(mailhold::name_of(version.error().kind))));
  }
  return ended;
}

Result<std::vector<BackupBook::OpenVersion>> BackupBook::open_versions(Id folder, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT item, message FROM backup_items WHERE " + in_folder + " AND until IS NULL",
                                  {bytes_of(folder)}, deadline));
  std::vector<OpenVersion> versions;
  for (const Values& row : rows) versions.push_back({Id::from_bytes(row[0].bytes()), Id::from_bytes(row[1].bytes())});
  return versions;
}

namespace {

constexpr std::string_view note_leaving =
    "INSERT INTO backup_leaving (message, tenant) VALUES ($1, $2) ON CONFLICT (message) DO NOTHING";

}  // namespace

Status BackupBook::remove_versions(Id tenant, const std::vector<ItemRow>& versions, const Deadline& deadline) {
  std::vector<Values> rows, contents;
  for (const ItemRow& version : versions) {
    rows.push_back({bytes_of(version.folder), bytes_of(version.id), version.since});
    contents.push_back({bytes_of(version.message), bytes_of(tenant)});
  }
  const auto work = [&](records::Session& session) -> Status {
    // A version that is open again, or was never closed, stays.
    RETURN_IF_ERROR(session.execute_batch(
        "DELETE FROM backup_items WHERE " + in_folder + " AND item = $2 AND since = $3 AND until IS NOT NULL", rows, deadline));
    RETURN_IF_ERROR(session.execute_batch(note_leaving, contents, deadline));
    return done();
  };
  return records_.transaction(work, deadline);
}

Result<std::uint64_t> BackupBook::remove_some_versions(const FolderRow& folder, std::size_t limit, const Deadline& deadline) {
  std::uint64_t count = 0;
  const auto work = [&](records::Session& session) -> Status {
    ASSIGN_OR_RETURN(const records::Rows found,
                     session.query("SELECT item, since, message FROM backup_items WHERE " + in_folder + " LIMIT $2",
                                   {bytes_of(folder.id), std::uint64_t{limit}}, deadline));
    std::vector<Values> rows, contents;
    for (const Values& row : found) {
      rows.push_back({bytes_of(folder.id), row[0], row[1]});
      contents.push_back({row[2], bytes_of(folder.tenant)});
    }
    ASSIGN_OR_RETURN(count, session.execute_batch("DELETE FROM backup_items WHERE " + in_folder + " AND item = $2 AND since = $3",
                                                  rows, deadline));
    RETURN_IF_ERROR(session.execute_batch(note_leaving, contents, deadline));
    return done();
  };
  RETURN_IF_ERROR(records_.transaction(work, deadline));
  return count;
}

Result<BackupBook::Leaving> BackupBook::leaving(const LeavingMark& after, std::size_t limit, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT message, tenant FROM backup_leaving WHERE (tenant, message) > ($1, $2)"
                                  " ORDER BY tenant, message LIMIT $3",
                                  {bytes_of(after.tenant), bytes_of(after.content), std::uint64_t{limit}}, deadline));
  Leaving leaving;
  for (const Values& row : rows) {
    const Id tenant = Id::from_bytes(row[1].bytes());
    if (leaving.contents.empty()) leaving.tenant = tenant;
    if (tenant == leaving.tenant) leaving.contents.push_back(Id::from_bytes(row[0].bytes()));
  }
  return leaving;
}

Result<bool> BackupBook::is_named(Id content, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT 1 FROM backup_items WHERE " + has_message("message", "$1") + " LIMIT 1",
                                  {bytes_of(content)}, deadline));
  return !rows.empty();
}

Status BackupBook::have_left(const std::vector<Id>& contents, const Deadline& deadline) {
  std::vector<Values> rows;
  for (const Id& content : contents) rows.push_back({bytes_of(content)});
  RETURN_IF_ERROR(records_.execute_batch("DELETE FROM backup_leaving WHERE message = $1", rows, deadline));
  return done();
}

Result<std::uint64_t> BackupBook::count_versions(Id folder, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT count(*) FROM backup_items WHERE " + in_folder, {bytes_of(folder)}, deadline));
  return rows.empty() ? 0 : static_cast<std::uint64_t>(rows[0][0].number());
}

Status BackupBook::remove_folder(const FolderRow& folder, const Deadline& deadline) {
  RETURN_IF_ERROR(records_.execute("DELETE FROM backup_folders WHERE folder = $1 AND since = $2",
                                   {bytes_of(folder.id), folder.since}, deadline));
  return done();
}

Result<std::uint64_t> BackupBook::remove_old_restores(Milliseconds now, Milliseconds kept, const Deadline& deadline) {
  std::uint64_t count = 0;
  const auto work = [&](records::Session& session) -> Status {
    RETURN_IF_ERROR(session.execute("UPDATE backup_restores SET noted = $1 WHERE noted = 0", {now}, deadline));
    ASSIGN_OR_RETURN(count, session.execute("DELETE FROM backup_restores WHERE noted <= $1", {now - kept}, deadline));
    return done();
  };
  RETURN_IF_ERROR(records_.transaction(work, deadline));
  return count;
}

Status BackupBook::remove_mailbox(Id mailbox, const std::vector<Id>& restores, const Deadline& deadline) {
  std::vector<Values> jobs;
  for (const Id& job : restores) jobs.push_back({bytes_of(job)});
  const auto work = [&](records::Session& session) -> Status {
    RETURN_IF_ERROR(session.execute_batch("DELETE FROM backup_restores WHERE job = $1", jobs, deadline));
    RETURN_IF_ERROR(session.execute("DELETE FROM backup_proofs WHERE mailbox = $1", {bytes_of(mailbox)}, deadline));
    RETURN_IF_ERROR(session.execute("DELETE FROM backup_mailboxes WHERE mailbox = $1", {bytes_of(mailbox)}, deadline));
    return done();
  };
  return records_.transaction(work, deadline);
}

}  // namespace mailhold::recover
