#include "features/recover/backup_book.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/log.h"
#include "base/random.h"
#include "features/recover/backup_rows.h"
#include "features/recover/item_table.h"
#include "features/recover/proof.h"
#include "formats/sealed/sealed.h"

namespace mailhold::recover {
namespace {

using records::Value;
using records::Values;

const records::Schema schema{
    "backup",
    {"CREATE TABLE backup_mailboxes (mailbox bytea PRIMARY KEY, tenant bytea NOT NULL, revision bigint NOT NULL,"
     " sealed bytea NOT NULL) /*clustered*/;"
     "CREATE TABLE backup_folders (folder bytea NOT NULL, since bigint NOT NULL, until bigint, mailbox bytea NOT NULL,"
     " revision bigint NOT NULL, sealed bytea NOT NULL, PRIMARY KEY (folder, since));"
     "CREATE INDEX backup_folders_by_mailbox ON backup_folders (mailbox, since);"
     "CREATE TABLE backup_items (item bytea NOT NULL, since bigint NOT NULL, until bigint, folder bytea NOT NULL,"
     " message bytea NOT NULL, day bigint NOT NULL, sealed bytea NOT NULL, PRIMARY KEY (item, since));"
     "CREATE INDEX backup_items_by_folder ON backup_items (folder, since);"
     "CREATE TABLE backup_restores (job bytea PRIMARY KEY, tenant bytea NOT NULL, revision bigint NOT NULL, sealed bytea NOT "
     "NULL)",
     "CREATE INDEX backup_items_by_message ON backup_items (message)",
     "CREATE INDEX backup_items_by_end ON backup_items (folder, until, item, since);"
     "CREATE TABLE backup_leaving (message bytea PRIMARY KEY, tenant bytea NOT NULL) /*clustered*/;"
     "CREATE TABLE backup_proofs (mailbox bytea PRIMARY KEY, tenant bytea NOT NULL, revision bigint NOT NULL, sealed bytea NOT "
     "NULL) /*clustered*/",
     "ALTER TABLE backup_restores ADD COLUMN noted bigint NOT NULL DEFAULT 0",
     // Most versions are open, and their ends are asked for by nobody.
     "DROP INDEX backup_items_by_end;"
     "CREATE INDEX backup_items_by_end ON backup_items (folder, until, item, since) WHERE until IS NOT NULL",
     "CREATE TABLE backup_lost (message bytea PRIMARY KEY, tenant bytea NOT NULL) /*clustered*/",
     // Short rows: folders are named by numbers, one index instead of two, and the first bytes of a content's id find it as well
     // as all of them.
     "ALTER TABLE backup_folders ADD COLUMN number bigint NOT NULL DEFAULT 0;"
     "UPDATE backup_folders SET number = (SELECT count(DISTINCT f.folder) FROM backup_folders f"
     " WHERE f.folder <= backup_folders.folder);"
     "CREATE UNIQUE INDEX backup_folders_by_number ON backup_folders (number);"
     "ALTER TABLE backup_items RENAME TO backup_items_before;"
     "CREATE TABLE backup_items (folder bigint NOT NULL, item bytea NOT NULL, since bigint NOT NULL, until bigint,"
     " message bytea NOT NULL, day bigint NOT NULL, sealed bytea NOT NULL, PRIMARY KEY (folder, item, since));"
     "INSERT INTO backup_items (folder, item, since, until, message, day, sealed)"
     " SELECT (SELECT f.number FROM backup_folders f WHERE f.folder = i.folder), item, since, until, message, day, sealed"
     " FROM backup_items_before i WHERE EXISTS (SELECT 1 FROM backup_folders f WHERE f.folder = i.folder);"
     "DROP TABLE backup_items_before;"
     "CREATE INDEX backup_items_by_content ON backup_items (substr(message, 1, 8));"
     "CREATE INDEX backup_items_by_ending ON backup_items (folder, until, item, since) WHERE until IS NOT NULL"}};

Value bytes_of(Id id) { return Value::bytes_of(id.bytes()); }
Value time_of(const std::optional<Milliseconds>& time) { return time ? Value(*time) : Value(); }
std::optional<Milliseconds> time_from(const Value& value) {
  return value.is_null() ? std::nullopt : std::optional<Milliseconds>(value.number());
}

held::RowPlace place_of(const ItemRow& item) {
  return {sealed::Kind::backup_item,
          item.tenant,
          item.id,
          item.day,
          static_cast<std::uint64_t>(item.since),
          ByteWriter().raw(item.folder.bytes()).raw(item.message.bytes()).take()};
}
// Of a row that was written before its folder and message were bound by the seal.
held::RowPlace old_place_of(const ItemRow& item) {
  held::RowPlace place = place_of(item);
  place.beside.clear();
  return place;
}

constexpr BackupBook::SealedTable mailbox_table{"backup_mailboxes", "mailbox", "backup.mailbox"};
constexpr BackupBook::SealedTable restore_table{"backup_restores", "job", "backup.restore"};
constexpr BackupBook::SealedTable proof_table{"backup_proofs", "mailbox", "backup.proof"};

constexpr std::string_view there_at = " AND since <= $2 AND (until IS NULL OR until > $2)";

}  // namespace

std::string_view name_of(MailboxState state) {
  constexpr std::string_view names[] = {"", "waiting", "first sync", "current", "needs attention"};
  return names[static_cast<std::size_t>(state)];
}

Id new_item_id(Milliseconds moment, std::uint64_t number) {
  constexpr std::size_t random_bytes_of_id = 6;
  ByteWriter id;
  id.u16(static_cast<std::uint16_t>(moment >> 32)).u32(static_cast<std::uint32_t>(moment));
  id.u32(static_cast<std::uint32_t>(number)).raw(random_bytes(random_bytes_of_id));
  return Id::from_bytes(id.view());
}

Result<std::unique_ptr<BackupBook>> BackupBook::open(records::Records& records, std::string region, store::StoreKeys& keys,
                                                     const Deadline& deadline) {
  RETURN_IF_ERROR(records.migrate(schema, deadline));
  return std::unique_ptr<BackupBook>(new BackupBook(records, std::move(region), keys));
}

namespace {

constexpr store::Epoch lasting_epoch = 0;  // of the rows that no day ends

sealed::Context context_of(const std::string& region, Id tenant, Id object, std::string_view what, std::uint64_t revision,
                           std::uint32_t key_version) {
  sealed::Context context;
  context.region = region;
  context.tenant = tenant;
  context.kind = sealed::Kind::configuration;
  context.object_id = std::string(object.bytes());
  context.version = revision;
  context.key_id = tenant;
  context.key_version = key_version;
  context.extra = what;
  return context;
}

}  // namespace

Result<std::string> BackupBook::seal(Id tenant, Id object, std::string_view what, std::uint64_t revision,
                                     std::string_view plaintext, const Deadline& deadline) const {
  ASSIGN_OR_RETURN(const store::EpochKey key, keys_.day_key(tenant, lasting_epoch, deadline));
  return sealed::seal(key.key.reveal(), context_of(region_, tenant, object, what, revision, key.version), plaintext);
}

Result<std::string> BackupBook::open(Id tenant, Id object, std::string_view what, std::uint64_t revision, std::string_view row,
                                     const Deadline& deadline) const {
  ASSIGN_OR_RETURN(const sealed::RowHeader header, sealed::read_row_header(row));
  ASSIGN_OR_RETURN(const store::EpochKey key, keys_.day_key(tenant, lasting_epoch, header.key_version, deadline));
  return sealed::open(key.key.reveal(), context_of(region_, tenant, object, what, revision, key.version), row);
}

// Rows of one table that are written over: each writing has a revision of its own.
Status BackupBook::put_row(const SealedTable& table, Id tenant, Id object, std::string_view plaintext, const Deadline& deadline) {
  const std::string name(table.name), key(table.key);
  const auto work = [&](records::Session& session) -> Status {
    ASSIGN_OR_RETURN(const records::Rows rows,
                     session.query("SELECT revision FROM " + name + " WHERE " + key + " = $1", {bytes_of(object)}, deadline));
    const std::uint64_t revision = rows.empty() ? 1 : static_cast<std::uint64_t>(rows[0][0].number()) + 1;
    ASSIGN_OR_RETURN(const std::string row, seal(tenant, object, table.what, revision, plaintext, deadline));
    RETURN_IF_ERROR(session.execute("INSERT INTO " + name + " (" + key + ", tenant, revision, sealed) VALUES ($1, $2, $3, $4)" +
                                        " ON CONFLICT (" + key +
                                        ") DO UPDATE SET revision = excluded.revision, sealed = excluded.sealed",
                                    {bytes_of(object), bytes_of(tenant), revision, Value::bytes_of(row)}, deadline));
    return done();
  };
  return records_.transaction(work, deadline);
}

Status BackupBook::put_mailbox(const Mailbox& mailbox, const Deadline& deadline) {
  return put_row(mailbox_table, mailbox.tenant, mailbox.id, write_mailbox(mailbox), deadline);
}

Status BackupBook::put_proof(const ProofRecord& record, const Deadline& deadline) {
  return put_row(proof_table, record.tenant, record.mailbox, write_proof(record), deadline);
}

Result<ProofRecord> BackupBook::proof(const Mailbox& mailbox, const Deadline& deadline) {
  ProofRecord record;
  record.mailbox = mailbox.id;
  record.tenant = mailbox.tenant;
  ASSIGN_OR_RETURN(const records::Rows rows, records_.query("SELECT revision, sealed FROM backup_proofs WHERE mailbox = $1",
                                                            {bytes_of(mailbox.id)}, deadline));
  if (rows.empty()) return record;
  ASSIGN_OR_RETURN(const std::string plaintext,
                   open(mailbox.tenant, mailbox.id, proof_table.what, static_cast<std::uint64_t>(rows[0][0].number()),
                        rows[0][1].bytes(), deadline));
  RETURN_IF_ERROR(read_proof(plaintext, record));
  return record;
}

Result<Mailbox> BackupBook::read_mailbox(const Values& row, const Deadline& deadline) const {
  Mailbox mailbox;
  mailbox.id = Id::from_bytes(row[0].bytes());
  mailbox.tenant = Id::from_bytes(row[1].bytes());
  ASSIGN_OR_RETURN(const std::string plaintext, open(mailbox.tenant, mailbox.id, "backup.mailbox",
                                                     static_cast<std::uint64_t>(row[2].number()), row[3].bytes(), deadline));
  RETURN_IF_ERROR(recover::read_mailbox(plaintext, mailbox));
  return mailbox;
}

Result<Mailbox> BackupBook::mailbox(Id id, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT mailbox, tenant, revision, sealed FROM backup_mailboxes WHERE mailbox = $1",
                                  {bytes_of(id)}, deadline));
  if (rows.empty()) return Error{ErrorKind::not_found, "no such mailbox: " + id.text(), "no such mailbox"};
  return read_mailbox(rows[0], deadline);
}

Result<std::vector<Mailbox>> BackupBook::mailboxes(const Deadline& deadline) {
  ASSIGN_OR_RETURN(
      const records::Rows rows,
      records_.query("SELECT mailbox, tenant, revision, sealed FROM backup_mailboxes ORDER BY mailbox", {}, deadline));
  std::vector<Mailbox> all;
  for (const Values& row : rows) {
    Result<Mailbox> mailbox = read_mailbox(row, deadline);
    if (mailbox) {
      all.push_back(std::move(*mailbox));
    } else if (mailbox.error().is_temporary()) {
      return mailbox.error();
    } else {
      log_error("backup", "mailbox " + Id::from_bytes(row[0].bytes()).text() +
                              " does not open: " + std::string(name_of(mailbox.error().kind)));
    }
  }
  return all;
}

Status BackupBook::write_folder(records::Session& session, const FolderRow& folder, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::string row,
                   seal(folder.tenant, folder.id, "backup.folder", folder.revision, write_folder_row(folder), deadline));
  RETURN_IF_ERROR(session.execute(
      "INSERT INTO backup_folders (folder, since, until, mailbox, revision, sealed, number) VALUES ($1, $2, $3, $4, $5, $6,"
      " (SELECT COALESCE(MAX(number), 0) + 1 FROM backup_folders))"
      " ON CONFLICT (folder, since) DO UPDATE SET until = excluded.until, revision = excluded.revision, sealed = excluded.sealed",
      {bytes_of(folder.id), folder.since, time_of(folder.until), bytes_of(folder.mailbox), folder.revision, Value::bytes_of(row)},
      deadline));
  return done();
}

Status BackupBook::put_folder(const FolderRow& folder, const Deadline& deadline) {
  return records_.transaction([&](records::Session& session) { return write_folder(session, folder, deadline); }, deadline);
}

Status BackupBook::close_folder(const FolderRow& folder, Milliseconds moment, const Deadline& deadline) {
  const auto work = [&](records::Session& session) -> Status {
    RETURN_IF_ERROR(session.execute("UPDATE backup_folders SET until = $2 WHERE folder = $1 AND until IS NULL",
                                    {bytes_of(folder.id), moment}, deadline));
    RETURN_IF_ERROR(session.execute("UPDATE backup_items SET until = $2 WHERE " + in_folder + " AND until IS NULL",
                                    {bytes_of(folder.id), moment}, deadline));
    return done();
  };
  return records_.transaction(work, deadline);
}

Result<std::vector<FolderRow>> BackupBook::folders_as_of(const Mailbox& mailbox, Milliseconds moment, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT folder, since, until, revision, sealed FROM backup_folders WHERE mailbox = $1" +
                                      std::string(there_at) + " ORDER BY folder",
                                  {bytes_of(mailbox.id), moment}, deadline));
  std::vector<FolderRow> folders;
  for (const Values& row : rows) {
    ASSIGN_OR_RETURN(FolderRow folder, open_folder(row, mailbox, deadline));
    folders.push_back(std::move(folder));
  }
  return folders;
}

Result<FolderRow> BackupBook::open_folder(const Values& row, const Mailbox& mailbox, const Deadline& deadline) const {
  FolderRow folder;
  folder.id = Id::from_bytes(row[0].bytes());
  folder.mailbox = mailbox.id;
  folder.tenant = mailbox.tenant;
  folder.since = row[1].number();
  folder.until = time_from(row[2]);
  folder.revision = static_cast<std::uint64_t>(row[3].number());
  ASSIGN_OR_RETURN(const std::string plaintext,
                   open(folder.tenant, folder.id, "backup.folder", folder.revision, row[4].bytes(), deadline));
  RETURN_IF_ERROR(read_folder_row(plaintext, folder));
  return folder;
}

Status BackupBook::apply(const FolderStep& step, const Deadline& deadline) {
  std::vector<Values> added, closed;
  for (const ItemRow& item : step.added) {
    ASSIGN_OR_RETURN(const std::string row, seal_.seal_short(place_of(item), write_item(item), deadline));
    added.push_back(
        {bytes_of(item.folder), bytes_of(item.id), item.since, bytes_of(item.message), item.day, Value::bytes_of(row)});
  }
  for (const auto& [item, since] : step.closed) closed.push_back({bytes_of(step.folder.id), bytes_of(item), since, step.moment});
  const auto work = [&](records::Session& session) -> Status {
    RETURN_IF_ERROR(session.execute_batch(
        "UPDATE backup_items SET until = $4 WHERE " + in_folder + " AND item = $2 AND since = $3 AND until IS NULL", closed,
        deadline));
    RETURN_IF_ERROR(
        session.execute_batch("INSERT INTO backup_items (folder, item, since, message, day, sealed)"
                              " VALUES ((SELECT number FROM backup_folders WHERE folder = $1), $2, $3, $4, $5, $6)"
                              " ON CONFLICT (folder, item, since) DO UPDATE SET sealed = excluded.sealed",
                              added, deadline));
    return write_folder(session, step.folder, deadline);
  };
  return records_.transaction(work, deadline);
}

Result<std::shared_ptr<const ContentIds>> BackupBook::content_ids(Id tenant, const Deadline& deadline) {
  const std::lock_guard lock(content_ids_mutex_);
  std::weak_ptr<const ContentIds>& known = content_ids_[tenant];
  if (auto ids = known.lock()) return ids;
  ASSIGN_OR_RETURN(auto ids, ContentIds::of(tenant, keys_, deadline));
  known = ids;
  return ids;
}

Result<std::optional<ItemRow>> BackupBook::open_item(Id tenant, const Values& row, const Deadline& deadline) {
  ItemRow item;
  item.tenant = tenant;
  item.id = Id::from_bytes(row[0].bytes());
  item.since = row[1].number();
  item.until = time_from(row[2]);
  item.folder = Id::from_bytes(row[3].bytes());
  item.message = Id::from_bytes(row[4].bytes());
  item.day = static_cast<std::uint32_t>(row[5].number());
  const std::string sealed_row = row[6].bytes();
  const auto is_old = static_cast<bool>(sealed::read_row_header(sealed_row));
  Result<std::string> plaintext =
      is_old ? seal_.open(old_place_of(item), sealed_row, deadline) : seal_.open_short(place_of(item), sealed_row, deadline);
  if (!plaintext && plaintext.error().kind == ErrorKind::not_found) return std::optional<ItemRow>();
  if (!plaintext) return std::move(plaintext.error()).while_doing("item " + item.id.text());
  RETURN_IF_ERROR(is_old ? read_old_item(*plaintext, item) : read_item(*plaintext, item));
  ASSIGN_OR_RETURN(item.content_ids, content_ids(tenant, deadline));
  return std::optional(std::move(item));
}

Result<std::vector<ItemRow>> BackupBook::items_as_of(const FolderRow& folder, Milliseconds moment, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows, records_.query(select_items + "WHERE " + in_folder + std::string(there_at),
                                                            {bytes_of(folder.id), moment}, deadline));
  std::vector<ItemRow> items;
  for (const Values& row : rows) {
    ASSIGN_OR_RETURN(std::optional<ItemRow> item, open_item(folder.tenant, row, deadline));
    if (item) items.push_back(std::move(*item));
  }
  std::sort(items.begin(), items.end(), [](const ItemRow& a, const ItemRow& b) {
    return std::pair(a.head.received_at, a.head.id) < std::pair(b.head.received_at, b.head.id);
  });
  return items;
}

Result<std::uint64_t> BackupBook::count_items(Id folder, Milliseconds moment, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT count(*) FROM backup_items WHERE " + in_folder + std::string(there_at),
                                  {bytes_of(folder), moment}, deadline));
  return rows.empty() ? 0 : static_cast<std::uint64_t>(rows[0][0].number());
}

Status BackupBook::put_restore(Id tenant, Id job, std::string_view report, const Deadline& deadline) {
  return put_row(restore_table, tenant, job, report, deadline);
}

Result<std::string> BackupBook::restore(Id job, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows, records_.query("SELECT tenant, revision, sealed FROM backup_restores WHERE job = $1",
                                                            {bytes_of(job)}, deadline));
  if (rows.empty()) return Error{ErrorKind::not_found, "no such restore: " + job.text(), "no such restore"};
  return open(Id::from_bytes(rows[0][0].bytes()), job, "backup.restore", static_cast<std::uint64_t>(rows[0][1].number()),
              rows[0][2].bytes(), deadline);
}

Result<std::vector<Id>> BackupBook::restores(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows, records_.query("SELECT job FROM backup_restores ORDER BY job DESC", {}, deadline));
  std::vector<Id> jobs;
  for (const Values& row : rows) jobs.push_back(Id::from_bytes(row[0].bytes()));
  return jobs;
}

}  // namespace mailhold::recover
