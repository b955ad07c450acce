#include "features/recover/import.h"

#include "fakes/recover_fixture.h"

namespace mailhold::recover {
namespace {

class ImportTest : public RecoverFixture {
 protected:
  Result<bool> send(Import& import, const std::vector<std::string>& sent) {
    bool over = false;
    for (const std::string& frame : sent) {
      ASSIGN_OR_RETURN(over, import.take(frame, soon()));
    }
    return over;
  }
  Import import() {
    now += hour;
    return Import({*book, *store, keys}, mailbox, now);
  }
  const std::vector<std::string> frames = {folder_frame({"Old", "2019"}),
                                           message_frame(1'500'000'000'000, {"\\Seen"}, letter("one", 3000)),
                                           message_frame(1'500'000'001'000, {}, letter("two")),
                                           message_frame(1'500'000'002'000, {}, letter("two")),
                                           folder_frame({"Old"}),
                                           message_frame(1'500'000'003'000, {}, letter("three")),
                                           end_frame(4)};
};

TEST_F(ImportTest, what_came_is_kept_and_a_second_time_nothing_is_added) {
  Import first = import();
  ASSERT_TRUE(*send(first, frames));
  const Picture picture = backed_up(now);
  EXPECT_EQ(picture.at("Old/2019").size(), 3U) << "two equal ones stay two";
  EXPECT_EQ(picture.at("Old/2019").count({letter("two"), {}}), 2U);
  EXPECT_EQ(picture.at("Old").size(), 1U);
  Import second = import();
  ASSERT_TRUE(*send(second, frames));
  EXPECT_EQ(backed_up(now), picture);
}

TEST_F(ImportTest, broken_off_and_begun_again_it_is_complete) {
  for (std::size_t cut = 1; cut < frames.size(); ++cut) {
    Import broken = import();
    ASSERT_TRUE(send(broken, {frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(cut)}));
  }
  Import whole = import();
  ASSERT_TRUE(*send(whole, frames));
  EXPECT_EQ(backed_up(now).at("Old/2019").size(), 3U);
}

TEST_F(ImportTest, an_import_can_be_restored) {
  Import importing = import();
  ASSERT_TRUE(*send(importing, frames));
  const auto report = restore();
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_TRUE(report->is_exact());
  EXPECT_EQ(at_server().at("Old/2019"), backed_up(now).at("Old/2019"));
}

// What is written into the target is the moment that the frame said, whatever zone the server shows it in.
TEST_F(ImportTest, received_dates_are_kept_and_restored) {
  Import importing = import();
  ASSERT_TRUE(*send(importing, frames));
  const std::map<std::string, std::multiset<Milliseconds>> expected = {
      {"Old", {1'500'000'003'000}}, {"Old/2019", {1'500'000'000'000, 1'500'000'001'000, 1'500'000'002'000}}};
  std::map<std::string, std::multiset<Milliseconds>> kept, restored;
  for (const FolderRow& folder : *book->folders_as_of(mailbox, now, soon())) {
    for (const ItemRow& item : *book->items_as_of(folder, now, soon()))
      kept[mailboxes::path_text(folder.folder.path)].insert(item.head.received_at);
  }
  EXPECT_EQ(kept, expected);
  ASSERT_TRUE(restore()->is_exact());
  for (const auto& [name, folder] : server.folders) {
    for (const FakeMessage& message : folder.messages) restored[name].insert(imap::parse_internal_date(message.date)->time);
  }
  EXPECT_EQ(restored, expected);
}

TEST_F(ImportTest, frames_out_of_order_or_past_their_limits_are_refused) {
  const std::vector<std::vector<std::string>> bad = {
      {message_frame(0, {}, "a")},
      {folder_frame({})},
      {folder_frame({""})},
      {folder_frame(mailboxes::FolderPath(65, "deep"))},
      {folder_frame({"a"}), message_frame(0, {}, "")},
      {folder_frame({"a"}), message_frame(0, std::vector<std::string>(65, "f"), "x")},
      {folder_frame({"a"}), end_frame(1)},
      {std::string("\x07")},
      {""},
      {folder_frame({"a"}).substr(0, 7)},
  };
  for (const auto& each : bad) {
    Import importing = import();
    const auto taken = send(importing, each);
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().kind, ErrorKind::invalid_input);
  }
}

TEST(ImportAnswer, says_the_report_or_the_error) {
  const auto report = parse_import_answer(write_import_answer(ImportReport{3, 4}));
  ASSERT_TRUE(report);
  EXPECT_EQ(report->added, 3U);
  EXPECT_EQ(report->present, 4U);
  const auto error = parse_import_answer(write_import_answer(Error{ErrorKind::unavailable, "the disk is full"}));
  EXPECT_EQ(error.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(error.error().detail, "the disk is full");
  EXPECT_EQ(parse_import_answer("\x07").error().kind, ErrorKind::corrupt);
}

}  // namespace
}  // namespace mailhold::recover
