// What search asks of the book.
#include "features/recover/backup_book.h"
#include "features/recover/item_table.h"

namespace mailhold::recover {
using records::Value;

Result<std::vector<ItemRow>> BackupBook::items_after(const Mailbox& mailbox, Milliseconds since, Id item, Milliseconds until,
                                                     std::uint32_t limit, const Deadline& deadline) {
  ASSIGN_OR_RETURN(
      const records::Rows rows,
      // Which ones is asked of the index alone.
      records_.query(
          "SELECT " + item_columns + " FROM (SELECT i.folder, i.item, i.since FROM backup_items i WHERE " + in_mailbox +
              " AND i.since <= $4 AND i.since >= $2 AND (i.since > $2 OR i.item > $3)"
              " AND NOT EXISTS (SELECT 1 FROM backup_items o WHERE o.folder = i.folder AND o.item = i.item"
              " AND o.since < i.since) ORDER BY i.since, i.item LIMIT $5) found"
              " JOIN backup_items i ON i.folder = found.folder AND i.item = found.item AND i.since = found.since"
              " ORDER BY i.since, i.item",
          {Value::bytes_of(mailbox.id.bytes()), since, Value::bytes_of(item.bytes()), until, static_cast<std::int64_t>(limit)},
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
                   records_.query(select_items + "WHERE " + has_message("i.message", "$3") +
                                      " AND i.since <= $2"
                                      " AND (i.until IS NULL OR i.until > $2) AND " +
                                      in_mailbox,
                                  {Value::bytes_of(mailbox.id.bytes()), moment, Value::bytes_of(message.bytes())}, deadline));
  std::vector<ItemRow> items;
  for (const records::Values& row : rows) {
    ASSIGN_OR_RETURN(std::optional<ItemRow> one, open_item(mailbox.tenant, row, deadline));
    if (one) items.push_back(std::move(*one));
  }
  return items;
}

}  // namespace mailhold::recover
