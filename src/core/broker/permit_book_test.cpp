#include "core/broker/permit_book.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/text.h"
#include "platform/crypto/hash.h"

namespace mailhold::broker {
namespace {

std::filesystem::path new_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "mailhold-permits-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  return name;
}
Deadline soon() { return Deadline::after(std::chrono::seconds(10)); }

class PermitBookTest : public testing::Test {
 protected:
  ~PermitBookTest() override { std::filesystem::remove_all(folder_); }
  static access::Operation operation(const std::string& folder) {
    return {"export.allow", Id::from_bytes("0123456789abcdef"), {{"folder", folder}}, Id::random(), 1000, Id::random()};
  }
  static std::string hash_of(const access::Operation& of) { return crypto::sha256(access::encode(of)); }

  const std::filesystem::path folder_ = new_folder();
  std::unique_ptr<records::Records> records_ = *records::open("sqlite:" + (folder_ / "records.db").string(), soon());
  Id without_key_;
  ManualClock clock_{1'795'000'000'000};
  std::unique_ptr<ConnectionBook> seals_ = *ConnectionBook::open(
      *records_,
      [this](Id tenant, const Deadline&) -> Result<keys::PurposeKey> {
        if (tenant == without_key_) return Error{ErrorKind::unavailable, "keyd is away"};
        return keys::PurposeKey{1, SecretText::copy_of(crypto::sha256(tenant.bytes()))};
      },
      "test", clock_, soon());
  std::unique_ptr<PermitBook> book_ = *PermitBook::open(*records_, *seals_, clock_, soon());
};

TEST_F(PermitBookTest, is_found_by_its_hash_until_its_time_is_over) {
  const access::Operation allowed = operation("Projects");
  EXPECT_EQ(book_->find(hash_of(allowed), soon()).error().kind, ErrorKind::not_found);
  EXPECT_EQ(*book_->allow(allowed, soon()), clock_.now() + permit_life);
  book_ = *PermitBook::open(*records_, *seals_, clock_, soon());
  clock_.advance(permit_life - 1);
  EXPECT_EQ(access::encode(*book_->find(hash_of(allowed), soon())), access::encode(allowed));
  clock_.advance(1);
  EXPECT_EQ(book_->find(hash_of(allowed), soon()).error().kind, ErrorKind::not_found);
  EXPECT_TRUE(book_->find_used(hash_of(allowed), soon())) << "what was begun in its time is still to be recorded";
  clock_.advance(permit_kept);
  EXPECT_EQ(book_->find_used(hash_of(allowed), soon()).error().kind, ErrorKind::not_found);
  ASSERT_TRUE(book_->allow(operation("Other"), soon()));
  EXPECT_EQ((*records_->query("SELECT count(*) FROM permits", {}, soon()))[0][0].number(), 1);
}

TEST_F(PermitBookTest, those_of_a_connection_are_withdrawn_together) {
  const Id connection = Id::random();
  access::Operation first = operation("Projects"), second = operation("Other"), other = operation("Projects");
  for (access::Operation* each : {&first, &second}) each->arguments["connection"] = connection.text();
  other.arguments["connection"] = Id::random().text();
  for (const access::Operation* each : {&first, &second, &other}) ASSERT_TRUE(book_->allow(*each, soon()));
  ASSERT_TRUE(book_->withdraw(connection, soon()));
  EXPECT_EQ(book_->find(hash_of(first), soon()).error().kind, ErrorKind::not_found);
  EXPECT_EQ(book_->find(hash_of(second), soon()).error().kind, ErrorKind::not_found);
  EXPECT_TRUE(book_->find(hash_of(other), soon()));
  EXPECT_TRUE(book_->find_used(hash_of(first), soon()));
}

TEST_F(PermitBookTest, one_that_cannot_be_withdrawn_now_keeps_no_other_alive) {
  const Id connection = Id::random();
  access::Operation stuck = operation("Projects"), first = operation("Projects"), last = operation("Other");
  stuck.tenant = Id::random();
  for (access::Operation* each : {&first, &stuck, &last}) {
    each->arguments["connection"] = connection.text();
    ASSERT_TRUE(book_->allow(*each, soon()));
  }
  without_key_ = stuck.tenant;
  EXPECT_EQ(book_->withdraw(connection, soon()).error().kind, ErrorKind::unavailable);
  without_key_ = {};
  for (const access::Operation* each : {&first, &last}) EXPECT_FALSE(book_->find(hash_of(*each), soon()));
  EXPECT_TRUE(book_->find(hash_of(stuck), soon()));
  ASSERT_TRUE(book_->withdraw(connection, soon()));
  EXPECT_FALSE(book_->find(hash_of(stuck), soon()));
}

TEST_F(PermitBookTest, whoever_writes_the_rows_can_allow_nothing) {
  const access::Operation narrow = operation("Projects"), wide = operation("");
  ASSERT_TRUE(book_->allow(narrow, soon()));
  const auto bytes = records::Value::bytes_of(hash_of(wide));
  ASSERT_TRUE(records_->execute("UPDATE permits SET operation = $1", {bytes}, soon()));
  EXPECT_EQ(book_->find(hash_of(wide), soon()).error().kind, ErrorKind::corrupt);
  ASSERT_TRUE(book_->allow(narrow, soon()));
  ASSERT_TRUE(records_->execute("UPDATE permits SET until = until + 1", {}, soon()));
  EXPECT_FALSE(book_->find(hash_of(narrow), soon())) << "not for longer either";
}

// An export stands for all: the book does not look into what was signed but for its connection.
TEST_F(PermitBookTest, whoever_writes_the_rows_takes_no_withdrawal_back) {
  const Id connection = Id::random();
  access::Operation withdrawn = operation("Projects"), other = operation("Other"), hidden = operation("Hidden");
  for (access::Operation* each : {&withdrawn, &hidden}) each->arguments["connection"] = connection.text();
  for (const access::Operation* each : {&withdrawn, &other, &hidden}) ASSERT_TRUE(book_->allow(*each, soon()));
  // One that is hidden from the withdrawal does not come back either.
  const auto of_hidden = records::Value::bytes_of(hash_of(hidden));
  ASSERT_TRUE(records_->execute("UPDATE permits SET withdrawn = 1 WHERE operation = $1", {of_hidden}, soon()));
  ASSERT_TRUE(book_->withdraw(connection, soon()));
  ASSERT_TRUE(records_->execute("UPDATE permits SET withdrawn = 0", {}, soon()));
  EXPECT_FALSE(book_->find(hash_of(withdrawn), soon())) << "the row says that it counts, its seal that it does not";
  EXPECT_FALSE(book_->find(hash_of(hidden), soon()));
  EXPECT_TRUE(book_->find(hash_of(other), soon()));
}

TEST_F(PermitBookTest, says_nothing_in_the_clear) {
  ASSERT_TRUE(book_->allow(operation("A folder of somebody"), soon()));
  const auto rows = *records_->query("SELECT sealed FROM permits", {}, soon());
  EXPECT_EQ(std::string(rows[0][0].bytes()).find("somebody"), std::string::npos);
}

}  // namespace
}  // namespace mailhold::broker
