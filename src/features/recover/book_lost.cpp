// Contents that a damaged bundle took with it: who is missing them.
#include "features/recover/backup_book.h"
#include "features/recover/item_table.h"

namespace mailhold::recover {
namespace {

using records::Value;
using records::Values;

Value bytes_of(Id id) { return Value::bytes_of(id.bytes()); }

}  // namespace

Status BackupBook::note_lost(Id tenant, const std::vector<Id>& contents, const Deadline& deadline) {
  std::vector<Values> rows;
  for (const Id& content : contents) rows.push_back({bytes_of(content), bytes_of(tenant)});
  RETURN_IF_ERROR(records_.execute_batch(
      "INSERT INTO backup_lost (message, tenant) VALUES ($1, $2) ON CONFLICT (message) DO NOTHING", rows, deadline));
  return done();
}

Result<std::vector<BackupBook::LostContent>> BackupBook::lost(std::size_t limit, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows, records_.query("SELECT tenant, message FROM backup_lost ORDER BY message LIMIT $1",
                                                            {std::uint64_t{limit}}, deadline));
  std::vector<LostContent> contents;
  for (const Values& row : rows) contents.push_back({Id::from_bytes(row[0].bytes()), Id::from_bytes(row[1].bytes())});
  return contents;
}

Result<bool> BackupBook::is_lost(Id content, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT 1 FROM backup_lost WHERE message = $1", {bytes_of(content)}, deadline));
  return !rows.empty();
}

Status BackupBook::is_lost_no_more(Id content, const Deadline& deadline) {
  RETURN_IF_ERROR(records_.execute("DELETE FROM backup_lost WHERE message = $1", {bytes_of(content)}, deadline));
  return done();
}

Result<std::map<Id, std::uint64_t>> BackupBook::count_lost_items(const Deadline& deadline) {
  // Mostly there are none; then the join would still look at every item.
  ASSIGN_OR_RETURN(const records::Rows any, records_.query("SELECT 1 FROM backup_lost LIMIT 1", {}, deadline));
  if (any.empty()) return std::map<Id, std::uint64_t>();
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT f.mailbox, count(DISTINCT i.item) FROM backup_lost l"
                                  " JOIN backup_items i ON " +
                                      has_message("i.message", "l.message") +
                                      " JOIN backup_folders f ON f.number = i.folder GROUP BY f.mailbox",
                                  {}, deadline));
  std::map<Id, std::uint64_t> counts;
  for (const Values& row : rows) counts[Id::from_bytes(row[0].bytes())] = static_cast<std::uint64_t>(row[1].number());
  return counts;
}

Result<std::vector<BackupBook::LostVersion>> BackupBook::lost_versions(const Mailbox& mailbox, std::size_t limit,
                                                                       const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::vector<FolderRow> folders, all_folders(mailbox, deadline));
  std::map<Id, mailboxes::FolderPath> paths;
  for (const FolderRow& folder : folders) paths[folder.id] = folder.folder.path;
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT " + item_columns + " FROM backup_lost l JOIN backup_items i ON " +
                                      has_message("i.message", "l.message") + " WHERE " + in_mailbox +
                                      " ORDER BY i.since DESC, i.item LIMIT $2",
                                  {bytes_of(mailbox.id), std::uint64_t{limit}}, deadline));
  std::vector<LostVersion> versions;
  for (const Values& row : rows) {
    ASSIGN_OR_RETURN(std::optional<ItemRow> version, open_item(mailbox.tenant, row, deadline));
    if (version) versions.push_back({paths[version->folder], std::move(*version)});
  }
  return versions;
}

Result<std::vector<BackupBook::NamingVersion>> BackupBook::versions_with(Id tenant, Id content, std::size_t limit,
                                                                         const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT " + item_columns +
                                      ", (SELECT f.mailbox FROM backup_folders f WHERE f.number = i.folder)"
                                      " FROM backup_items i WHERE " +
                                      has_message("i.message", "$1") + " LIMIT $2",
                                  {bytes_of(content), std::uint64_t{limit}}, deadline));
  std::vector<NamingVersion> versions;
  for (const Values& row : rows) {
    NamingVersion one;
    if (!row[7].is_null()) one.mailbox = Id::from_bytes(row[7].bytes());
    Result<std::optional<ItemRow>> version = open_item(tenant, row, deadline);
    if (!version && version.error().is_temporary()) return version.error();
    if (version) one.version = std::move(*version);
    versions.push_back(std::move(one));
  }
  return versions;
}

}  // namespace mailhold::recover
