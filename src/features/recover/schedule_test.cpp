#include "features/recover/schedule.h"

#include <gtest/gtest.h>

#include "features/recover/backup_rows.h"

namespace mailhold::recover {
namespace {

using mailboxes::ItemType;
using mailboxes::ItemTypes;
using mailboxes::MailboxKind;

TEST(Schedule, says_what_people_type) {
  const std::pair<const char*, std::int64_t> good[] = {{"60s", 60},     {"90s", 90},       {"1m", 60},
                                                       {"15m", 900},    {"6h", 21'600},    {"1d", 86'400},
                                                       {"7d", 604'800}, {"168h", 604'800}, {"024h", 86'400}};
  for (const auto& [text, seconds] : good) {
    const auto every = parse_every(text);
    ASSERT_TRUE(every) << text;
    EXPECT_EQ(every->count(), seconds) << text;
  }
  for (const char* text : {"", "s", "15", "m15", "15 m", "-5m", "1.5h", "15M", "1w", "59s", "0m", "8d", "169h",
                           "99999999999999999999d", "18446744073709551615s", "1000000d", "6h6m"}) {
    const auto every = parse_every(text);
    ASSERT_FALSE(every) << text;
    EXPECT_EQ(every.error().kind, ErrorKind::invalid_input) << text;
    EXPECT_FALSE(every.error().for_peer.empty()) << text;
  }
  EXPECT_EQ(text_of(Schedule{Reading::every, std::chrono::seconds(90)}), "every 90s");
  EXPECT_EQ(text_of(Schedule{Reading::every, std::chrono::hours(48)}), "every 2d");
  EXPECT_EQ(text_of(Schedule{}), "default");
  EXPECT_EQ(text_of(Schedule{Reading::continuous}), "continuous");
}

TEST(Schedule, types_are_those_that_the_mailbox_can_hold) {
  EXPECT_EQ(parse_types("contact", MailboxKind::dav).value(), (ItemTypes{ItemType::contact}));
  EXPECT_EQ(text_of(parse_types("task,event", MailboxKind::dav).value()), "event,task");
  for (const char* text : {"all", "event,contact,task,note"})
    EXPECT_EQ(parse_types(text, MailboxKind::dav).value(), ItemTypes::all());
  for (const char* text : {"all", "mail", "mail,mail"}) EXPECT_EQ(parse_types(text, MailboxKind::imap).value(), ItemTypes::all());
  for (const char* text : {"", "mails", "event,", "event contact", "mail"})
    EXPECT_FALSE(parse_types(text, MailboxKind::dav)) << text;
  const auto refused = parse_types("mail,contact", MailboxKind::imap);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().for_peer, "a mailbox of kind imap holds mail alone, and no contact");
}

Mailbox some_mailbox() {
  Mailbox mailbox;
  mailbox.name = "ann";
  mailbox.kind = MailboxKind::dav;
  mailbox.items = 7;
  mailbox.schedule = {Reading::every, std::chrono::hours(6)};
  mailbox.types = {ItemType::event, ItemType::task};
  return mailbox;
}
constexpr std::size_t schedule_bytes = 6;  // at the end of a row

TEST(MailboxRow, keeps_the_schedule_and_the_types) {
  Mailbox read;
  ASSERT_TRUE(read_mailbox(write_mailbox(some_mailbox()), read));
  EXPECT_EQ(read.schedule, some_mailbox().schedule);
  EXPECT_EQ(read.types, some_mailbox().types);
  EXPECT_EQ(read.items, 7U);
}

TEST(MailboxRow, of_a_version_before_is_read_as_all_were_then) {
  for (const char version : {char{1}, char{2}}) {
    std::string row = write_mailbox(some_mailbox());
    row.resize(row.size() - schedule_bytes - (version == 1 ? 1 : 0));
    row[0] = version;
    Mailbox read = some_mailbox();
    ASSERT_TRUE(read_mailbox(row, read));
    EXPECT_EQ(read.schedule, Schedule());
    EXPECT_EQ(read.types, ItemTypes::all());
    EXPECT_EQ(read.kind, version == 1 ? MailboxKind::imap : MailboxKind::dav);
  }
}

TEST(MailboxRow, that_makes_no_sense_is_corrupt) {
  const std::string good = write_mailbox(some_mailbox());
  Mailbox read;
  for (std::size_t length = 0; length < good.size(); ++length) EXPECT_FALSE(read_mailbox(good.substr(0, length), read)) << length;
  EXPECT_FALSE(read_mailbox(good + "x", read));
  for (const auto& [from_end, byte] : {std::pair<std::size_t, char>{6, 3}, {5, 1}, {1, 0}}) {
    std::string row = good;
    row[row.size() - from_end] = byte;
    const Status status = read_mailbox(row, read);
    ASSERT_FALSE(status) << from_end;
    EXPECT_EQ(status.error().kind, ErrorKind::corrupt);
  }
  std::string row = good;
  row[0] = 4;
  EXPECT_FALSE(read_mailbox(row, read)) << "of a version to come";
}

TEST(FolderRow, says_which_types_its_mark_speaks_of) {
  FolderRow folder;
  folder.mark = "mark";
  folder.pending = {{"a", true}};
  EXPECT_EQ(write_folder_row(folder)[0], 1) << "as programs before wrote it";
  for (const ItemTypes types : {ItemTypes::all(), ItemTypes{ItemType::task}}) {
    folder.types = types;
    FolderRow read;
    ASSERT_TRUE(read_folder_row(write_folder_row(folder), read));
    EXPECT_EQ(read.types, types);
    EXPECT_EQ(read.mark, "mark");
    EXPECT_EQ(read.pending.size(), 1U);
  }
}

}  // namespace
}  // namespace mailhold::recover
