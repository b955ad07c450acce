// What a check of a backup looks at: every version, whatever became of its mailbox since.
#include "features/recover/backup_book.h"
#include "features/recover/item_table.h"

namespace mailhold::recover {
namespace {

using records::Value;
using records::Values;

Value bytes_of(Id id) { return Value::bytes_of(id.bytes()); }

// The numbers of the folders of the mailbox, or of the tenant, with the id $1.
const std::string in_scope =
    "IN (SELECT f.number FROM backup_folders f JOIN backup_mailboxes m ON m.mailbox = f.mailbox WHERE m.mailbox = $1 OR m.tenant "
    "= $1)";

bool passes(const Error& error) { return error.is_temporary() || error.kind == ErrorKind::cancelled; }

}  // namespace

Result<std::vector<BackupBook::MailboxToCheck>> BackupBook::mailboxes_to_check(const Deadline& deadline) {
  ASSIGN_OR_RETURN(
      const records::Rows rows,
      records_.query("SELECT mailbox, tenant, revision, sealed FROM backup_mailboxes ORDER BY mailbox", {}, deadline));
  std::vector<MailboxToCheck> all;
  for (const Values& row : rows) {
    all.push_back({Id::from_bytes(row[0].bytes()), Id::from_bytes(row[1].bytes()), read_mailbox(row, deadline)});
    if (const auto& opened = all.back().row; !opened && passes(opened.error())) return opened.error();
  }
  return all;
}

Result<std::vector<BackupBook::FolderToCheck>> BackupBook::folders_to_check(const CheckScope& scope, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT number, mailbox FROM backup_folders WHERE number " + in_scope + " ORDER BY number",
                                  {bytes_of(scope.owner)}, deadline));
  std::vector<FolderToCheck> folders;
  for (const Values& row : rows) folders.push_back({row[0].number(), Id::from_bytes(row[1].bytes())});
  return folders;
}

Result<std::uint64_t> BackupBook::count_versions_to_check(const CheckScope& scope, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT count(*) FROM backup_items i WHERE i.since <= $2 AND i.folder " + in_scope,
                                  {bytes_of(scope.owner), scope.moment}, deadline));
  return rows.empty() ? 0 : static_cast<std::uint64_t>(rows[0][0].number());
}

Result<std::vector<BackupBook::VersionToCheck>> BackupBook::versions_to_check(const CheckScope& scope, std::int64_t folder,
                                                                              Id item_after, Milliseconds since_after,
                                                                              std::size_t limit, const Deadline& deadline) {
  static const std::string sql =
      "SELECT " + item_columns + ", CASE WHEN EXISTS (SELECT 1 FROM backup_items o WHERE " +
      has_message("o.message", "i.message") +
      " AND o.since <= $2 AND (o.folder < i.folder OR (o.folder = i.folder AND (o.item < i.item OR (o.item = i.item AND o.since "
      "< "
      "i.since)))) AND o.folder " +
      in_scope +
      ") THEN 0 ELSE 1 END, CASE WHEN EXISTS (SELECT 1 FROM backup_lost l WHERE l.message = i.message) THEN 1 ELSE 0 END"
      " FROM backup_items i WHERE i.folder = $3 AND i.item >= $4 AND (i.item > $4 OR i.since > $5) AND i.since <= $2"
      " ORDER BY i.item, i.since LIMIT $6";
  ASSIGN_OR_RETURN(
      const records::Rows rows,
      records_.query(sql, {bytes_of(scope.owner), scope.moment, folder, bytes_of(item_after), since_after, std::uint64_t{limit}},
                     deadline));
  std::vector<VersionToCheck> versions;
  for (const Values& row : rows) {
    VersionToCheck one{Id::from_bytes(row[0].bytes()), Id::from_bytes(row[4].bytes()), row[1].number(),
                       open_item(scope.tenant, row, deadline)};
    if (!one.row && passes(one.row.error())) return one.row.error();
    one.is_first = row[7].number() != 0;
    one.is_lost = row[8].number() != 0;
    versions.push_back(std::move(one));
  }
  return versions;
}

}  // namespace mailhold::recover
