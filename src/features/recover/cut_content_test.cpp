// A server that gives less of a message than it has.
#include "fakes/recover_fixture.h"

namespace mailhold::recover {
namespace {

class CutContentTest : public RecoverFixture {
 protected:
  void SetUp() override {
    RecoverFixture::SetUp();
    fill(6, 0);
  }
};

TEST_F(CutContentTest, a_message_that_was_cut_off_once_comes_whole_with_the_same_sync) {
  server.faults.cut_off = {{2, {40}}, {5, {1}}};
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), at_server());
  EXPECT_EQ(progress.unreadable, 0U);
  EXPECT_EQ(server.contents_given, 6U + 2U);
}

TEST_F(CutContentTest, what_comes_so_again_is_kept_as_it_came_and_not_asked_for_with_every_sync) {
  server.faults.cut_off = {{2, {40, 40}}};
  Picture expected = at_server();
  FakeMessage cut = server.folders["INBOX"].messages[1];
  expected["INBOX"].erase(expected["INBOX"].find({cut.content, {"\\Seen"}}));
  cut.content.resize(40);
  expected["INBOX"].insert({cut.content, {"\\Seen"}});
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), expected);
  EXPECT_EQ(progress.unreadable, 0U);
  EXPECT_EQ(server.contents_given, 7U);
  ASSERT_TRUE(sync());
  EXPECT_EQ(server.contents_given, 7U);
}

TEST_F(CutContentTest, what_was_not_given_before_and_comes_cut_off_is_asked_for_again_too) {
  server.faults.unreadable = {3};
  ASSERT_TRUE(sync());
  EXPECT_EQ(progress.unreadable, 1U);
  server.faults.unreadable.clear();
  server.faults.cut_off = {{3, {40}}};
  ASSERT_TRUE(sync());
  EXPECT_EQ(progress.unreadable, 0U);
  EXPECT_EQ(backed_up(now), at_server());
}

TEST_F(CutContentTest, less_than_was_there_before_is_named_and_whole_as_soon_as_the_server_is) {
  server.faults.cut_off = {{2, {40, 39, 38, 37}}};
  ASSERT_TRUE(sync());
  EXPECT_EQ(progress.unreadable, 1U);
  EXPECT_EQ(backed_up(now)["INBOX"].size(), 5U);
  ASSERT_TRUE(sync());
  EXPECT_EQ(progress.unreadable, 0U);
  EXPECT_EQ(backed_up(now), at_server());
}

TEST_F(CutContentTest, a_server_that_claims_too_much_of_everything_is_not_asked_so_for_ever) {
  for (int i = 0; i < 60; ++i) server.folders["INBOX"].add(letter("more " + std::to_string(i)));
  server.faults.claims_too_much = true;
  ASSERT_TRUE(sync());
  EXPECT_EQ(backed_up(now), at_server());
  EXPECT_EQ(progress.unreadable, 0U);
  EXPECT_EQ(server.contents_given, 66U + sync_settings.short_tries_max);
}

}  // namespace
}  // namespace mailhold::recover
