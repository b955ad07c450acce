#include "core/broker/keeping_book.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

namespace mailhold::broker {
namespace {

std::filesystem::path new_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "mailhold-records-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  return name;
}
Deadline soon() { return Deadline::after(std::chrono::seconds(10)); }

class KeepingBookTest : public testing::Test {
 protected:
  ~KeepingBookTest() override { std::filesystem::remove_all(folder_); }
  Result<keys::PurposeKey> key_of(Id tenant) {
    if (is_away_) return Error{ErrorKind::unavailable, "keyd is away"};
    keys::PurposeKey key;
    key.version = 1;
    key.key = SecretText::copy_of(std::string(tenant.bytes()) + std::string(tenant.bytes()));
    return key;
  }
  Status add_rule(Id tenant, std::uint32_t days) {
    return book_->change(
        tenant,
        [&](const access::Keeping& before) -> Result<std::optional<access::Keeping>> {
          access::Keeping after = before;
          after.rules.push_back({{}, 1, days});
          return std::optional(after);
        },
        soon());
  }
  std::uint32_t days_of(Id tenant) { return access::days_kept(book_->of(tenant, soon()).value(), {}, 1); }

  const std::filesystem::path folder_ = new_folder();
  std::unique_ptr<records::Records> records_ = *records::open("sqlite:" + (folder_ / "records.db").string(), soon());
  bool is_away_ = false;
  std::unique_ptr<KeepingBook> book_ =
      *KeepingBook::open(*records_, [this](Id tenant, const Deadline&) { return key_of(tenant); }, "eu", soon());
  const Id ours_ = Id::random(), theirs_ = Id::random();
};

TEST_F(KeepingBookTest, what_was_never_said_is_kept_for_ever) { EXPECT_EQ(days_of(ours_), 0U); }

TEST_F(KeepingBookTest, a_change_is_kept_for_its_tenant_alone) {
  ASSERT_TRUE(add_rule(ours_, 30));
  EXPECT_EQ(days_of(ours_), 30U);
  EXPECT_EQ(days_of(theirs_), 0U);
}

TEST_F(KeepingBookTest, what_a_change_refuses_stays_as_it_was) {
  ASSERT_TRUE(add_rule(ours_, 30));
  const auto refuse = [](const access::Keeping&) -> Result<std::optional<access::Keeping>> {
    return Error{ErrorKind::denied, "no"};
  };
  const auto wait = [](const access::Keeping&) -> Result<std::optional<access::Keeping>> {
    return std::optional<access::Keeping>();
  };
  EXPECT_EQ(book_->change(ours_, refuse, soon()).error().kind, ErrorKind::denied);
  EXPECT_TRUE(book_->change(ours_, wait, soon()));
  EXPECT_EQ(days_of(ours_), 30U);
}

TEST_F(KeepingBookTest, another_tenants_row_and_an_older_version_do_not_open) {
  ASSERT_TRUE(add_rule(ours_, 30));
  ASSERT_TRUE(records_->execute("INSERT INTO keeping SELECT $1, version, sealed FROM keeping",
                                {records::Value::bytes_of(theirs_.bytes())}, soon()));
  EXPECT_EQ(book_->of(theirs_, soon()).error().kind, ErrorKind::corrupt);
  ASSERT_TRUE(records_->execute("UPDATE keeping SET version = version + 1", {}, soon()));
  EXPECT_EQ(book_->of(ours_, soon()).error().kind, ErrorKind::corrupt);
}

TEST_F(KeepingBookTest, without_keys_nothing_is_said) {
  ASSERT_TRUE(add_rule(ours_, 30));
  is_away_ = true;
  EXPECT_EQ(book_->of(ours_, soon()).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(add_rule(ours_, 40).error().kind, ErrorKind::unavailable);
}

}  // namespace
}  // namespace mailhold::broker
