// What search asks of the book.
#include "features/recover/backup_book.h"

namespace mailhold::recover {
namespace {

using records::Value;

constexpr std::string_view columns = "SELECT i.item, i.since, i.until, i.folder, i.message, i.day, i.sealed FROM backup_items i ";
constexpr std::string_view in_mailbox = "i.folder IN (SELECT folder FROM backup_folders WHERE mailbox = $1)";

}  // namespace

Result<std::vector<ItemRow>> BackupBook::items_after(const Mailbox& mailbox, Milliseconds since, Id item, Milliseconds until,
                                                     std::uint32_t limit, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query(std::string(columns) + "WHERE " + std::string(in_mailbox) +
                                      " AND i.since <= $4 AND i.since >= $2 AND (i.since > $2 OR i.item > $3)"
                                      " AND NOT EXISTS (SELECT 1 FROM backup_items o WHERE o.item = i.item AND o.since < i.since"
                                      " AND o.message = i.message) ORDER BY i.since, i.item LIMIT $5",
                                  {Value::bytes_of(mailbox.id.bytes()), since, Value::bytes_of(item.bytes()), until,
                                   static_cast<std::int64_t>(limit)},
                                  deadline));
  std::vector<ItemRow> items;
  for (const records::Values& row : rows) {
    ASSIGN_OR_RETURN(std::optional<ItemRow> one, open_item(mailbox.tenant, row, deadline));
    if (one) items.push_back(std::move(*one));
  }
  return items;
}

Result<std::vector<ItemRow>> BackupBook::items_with(const Mailbox& mailbox, Id message, Milliseconds moment,
                                                    const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query(std::string(columns) +
                                      "WHERE i.message = $3 AND i.since <= $2"
                                      " AND (i.until IS NULL OR i.until > $2) AND " +
                                      std::string(in_mailbox),
                                  {Value::bytes_of(mailbox.id.bytes()), moment, Value::bytes_of(message.bytes())}, deadline));
  std::vector<ItemRow> items;
  for (const records::Values& row : rows) {
    ASSIGN_OR_RETURN(std::optional<ItemRow> one, open_item(mailbox.tenant, row, deadline));
    if (one) items.push_back(std::move(*one));
  }
  return items;
}

}  // namespace mailhold::recover
