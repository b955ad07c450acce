#include "features/recover/backup_book.h"

#include "base/bytes.h"
#include "fakes/recover_fixture.h"
#include "features/recover/backup_rows.h"
#include "platform/crypto/hash.h"

namespace mailhold::recover {
namespace {

// Rows and tables as earlier versions of the program wrote them.
class BackupBookTest : public RecoverFixture {};

// What write_item wrote before rows were sealed short: it is still read, and no less bound to its folder and message.
TEST_F(BackupBookTest, a_row_of_an_item_from_before_is_still_read) {
  fill(1, 1);
  ASSERT_TRUE(sync());
  const Picture before = backed_up(now);
  const FolderRow folder = book->folders_as_of(mailbox, now, soon())->front();
  const ItemRow item = book->items_as_of(folder, now, soon())->front();
  const auto put_old_row = [&](Id message) {
    ByteWriter row;
    row.u8(1).raw(item.folder.bytes()).raw(message.bytes()).text(item.head.id);
    row.u8(static_cast<std::uint8_t>(item.head.type)).u8(static_cast<std::uint8_t>(item.form));
    row.u64(static_cast<std::uint64_t>(item.head.received_at)).u32(static_cast<std::uint32_t>(item.head.zone_minutes));
    row.u32(static_cast<std::uint32_t>(item.head.flags.size()));
    for (const std::string& flag : item.head.flags) row.text(flag);
    row.u32(0).u64(item.bytes).text(std::string(crypto::sha256_size, 's'));
    const held::RowPlace place{sealed::Kind::backup_item, item.tenant, item.id, item.day, static_cast<std::uint64_t>(item.since)};
    const std::string bytes = *held::RowSeal("test", keys).seal(place, row.view(), soon());
    ASSERT_TRUE(records->execute("UPDATE backup_items SET sealed = $2 WHERE item = $1",
                                 {records::Value::bytes_of(item.id.bytes()), records::Value::bytes_of(bytes)}, soon()));
  };
  put_old_row(item.message);
  EXPECT_EQ(backed_up(now), before);
  put_old_row(Id::random());
  EXPECT_EQ(book->items_as_of(folder, now, soon()).error().kind, ErrorKind::corrupt);
}

TEST_F(BackupBookTest, a_row_that_ends_with_a_hash_of_its_content_is_still_read) {
  fill(1, 1);
  ASSERT_TRUE(sync());
  const Picture before = backed_up(now);
  const FolderRow folder = book->folders_as_of(mailbox, now, soon())->front();
  const ItemRow item = book->items_as_of(folder, now, soon())->front();
  std::string row = write_item(item);
  row[0] = 2;
  row += static_cast<char>(crypto::sha256_size) + std::string(crypto::sha256_size, 's');
  held::RowPlace place{sealed::Kind::backup_item, item.tenant, item.id, item.day, static_cast<std::uint64_t>(item.since)};
  place.beside = ByteWriter().raw(item.folder.bytes()).raw(item.message.bytes()).take();
  const std::string bytes = *held::RowSeal("test", keys).seal_short(place, row, soon());
  ASSERT_TRUE(records->execute("UPDATE backup_items SET sealed = $1 WHERE item = $2",
                               {records::Value::bytes_of(bytes), records::Value::bytes_of(item.id.bytes())}, soon()));
  EXPECT_EQ(backed_up(now), before);
}

// Folders had no numbers, items had two indexes instead of one, and the ids of contents were indexed whole.
TEST_F(BackupBookTest, tables_of_before_are_brought_up_to_date) {
  fill(2, 6);
  ASSERT_TRUE(sync());
  const Milliseconds first = now;
  now += 1000;
  server.folders["INBOX"].remove(0);
  ASSERT_TRUE(sync());
  const Picture then = backed_up(first), last = backed_up(now);
  ASSERT_NE(then, last);
  for (const std::string statement :
       {"DROP INDEX backup_items_by_content", "DROP INDEX backup_items_by_ending",
        "ALTER TABLE backup_items RENAME TO backup_items_of_now",
        "CREATE TABLE backup_items (item bytea NOT NULL, since bigint NOT NULL, until bigint, folder bytea NOT NULL,"
        " message bytea NOT NULL, day bigint NOT NULL, sealed bytea NOT NULL, PRIMARY KEY (item, since))",
        "INSERT INTO backup_items SELECT i.item, i.since, i.until, f.folder, i.message, i.day, i.sealed"
        " FROM backup_items_of_now i JOIN backup_folders f ON f.number = i.folder",
        "DROP TABLE backup_items_of_now", "CREATE INDEX backup_items_by_folder ON backup_items (folder, since)",
        "CREATE INDEX backup_items_by_message ON backup_items (message)",
        "CREATE INDEX backup_items_by_end ON backup_items (folder, until, item, since) WHERE until IS NOT NULL",
        "DROP INDEX backup_folders_by_number", "ALTER TABLE backup_folders DROP COLUMN number",
        "UPDATE schema_versions SET version = 6 WHERE room = 'backup'"}) {
    const Status executed = records->execute(statement, {}, soon()) ? done() : Status(Error{ErrorKind::bug, statement});
    ASSERT_TRUE(executed) << statement;
  }
  book = *BackupBook::open(*records, "test", keys, soon());
  EXPECT_EQ(backed_up(first), then);
  EXPECT_EQ(backed_up(now), last);
  now += 1000;
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), last);
}

// The index of contents has the first bytes of their ids only.
TEST_F(BackupBookTest, contents_whose_ids_begin_alike_are_two) {
  fill(1, 0);
  ASSERT_TRUE(sync());
  const FolderRow folder = book->folders_as_of(mailbox, now, soon())->front();
  const ItemRow item = book->items_as_of(folder, now, soon())->front();
  std::string like(item.message.bytes());
  like.back() = static_cast<char>(like.back() ^ 1);
  const Id other = Id::from_bytes(like);
  EXPECT_TRUE(*book->is_named(item.message, soon()));
  EXPECT_FALSE(*book->is_named(other, soon()));
  EXPECT_TRUE(book->items_with(mailbox, other, now, soon())->empty());
  EXPECT_TRUE(book->versions_with(tenant, other, 10, soon())->empty());
  ASSERT_TRUE(book->note_lost(tenant, {other}, soon()));
  EXPECT_TRUE(book->count_lost_items(soon())->empty());
}

// Instead of a hash in the row.
TEST_F(BackupBookTest, a_row_knows_its_content_by_the_id) {
  fill(1, 0);
  ASSERT_TRUE(sync());
  const FolderRow folder = book->folders_as_of(mailbox, now, soon())->front();
  const ItemRow item = book->items_as_of(folder, now, soon())->front();
  const std::string content = *store->retrieve(tenant, item.message, soon());
  EXPECT_TRUE(item.has_content(crypto::sha256(content)));
  EXPECT_FALSE(item.has_content(crypto::sha256(content + " ")));
  EXPECT_FALSE(item.has_content(""));
}

}  // namespace
}  // namespace mailhold::recover
