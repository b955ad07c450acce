// Which folders a session may name, in whichever spelling.
#include <gtest/gtest.h>

#include "formats/imap/imap_command_filter.h"

namespace mailhold::imap {
namespace {

class ScopeTest : public testing::Test {
 protected:
  void open(std::vector<std::string> folders, Purpose purpose = Purpose::backup_read) {
    filter = std::make_unique<ImapCommandFilter>(CommandRules{purpose, std::move(folders), true});
  }
  void enable_utf8() {
    ASSERT_TRUE(filter->receive("e ENABLE CONDSTORE UTF8=ACCEPT\r\n"));
    EXPECT_FALSE(filter->wants_input()) << "what a name means is not known until the server has answered";
    filter->server_said("* ENABLED CONDSTORE UTF8=ACCEPT\r\n");
    filter->server_answered("e");
    EXPECT_TRUE(filter->wants_input());
    EXPECT_EQ(filter->take_for_server(), "e ENABLE CONDSTORE UTF8=ACCEPT\r\n");
  }
  bool passes(const std::string& command) {
    if (!filter->receive("a " + command + "\r\n")) return false;
    const std::string seen = filter->take_for_server();
    filter->take_for_worker();
    filter->server_answered("a");
    return !seen.empty();
  }
  std::unique_ptr<ImapCommandFilter> filter;
};

TEST_F(ScopeTest, a_folder_is_the_same_in_both_spellings_of_name_and_pattern) {
  for (const char* pattern : {"Entw&APw-rfe", "Entwürfe"}) {
    open({pattern, std::string(pattern) + "/*"});
    EXPECT_TRUE(passes("EXAMINE Entw&APw-rfe"));
    EXPECT_TRUE(passes("EXAMINE \"Entw&APw-rfe/2026 &- mehr\""));
    EXPECT_FALSE(passes("EXAMINE Entw&APw-rfe2"));
    EXPECT_FALSE(passes("EXAMINE Entwurfe"));
    enable_utf8();
    EXPECT_TRUE(passes("EXAMINE \"Entwürfe\""));
    EXPECT_TRUE(passes("STATUS \"Entwürfe/2026 & mehr\" (MESSAGES)"));
    EXPECT_TRUE(passes("EXAMINE {9+}\r\nEntwürfe"));
    EXPECT_FALSE(passes("EXAMINE \"Entwürfe2\""));
    EXPECT_FALSE(passes("EXAMINE \"Entwu\u0308rfe\"")) << "composed and decomposed letters are two names";
    EXPECT_FALSE(passes("EXAMINE \"Privé\""));
  }
}

TEST_F(ScopeTest, no_spelling_reaches_another_folder) {
  open({"Entwürfe", "R&-D", "Public/*"});
  enable_utf8();
  EXPECT_FALSE(passes("EXAMINE \"Entw&APw-rfe\"")) << "here it is a name of its own";
  EXPECT_FALSE(passes("EXAMINE Entw&APw-rfe"));
  EXPECT_FALSE(passes("EXAMINE \"R&-D\"")) << "a server could read it as R&D";
  EXPECT_TRUE(passes("EXAMINE \"R&D\""));
  EXPECT_FALSE(passes("EXAMINE \"Public/&AOQ-\"")) << "the folder ä, or one that is called so";
  EXPECT_FALSE(passes("EXAMINE \"&AFA-ublic/x\""));
  EXPECT_TRUE(passes("EXAMINE \"Public/ä\""));
  open({"*"});
  enable_utf8();
  EXPECT_TRUE(passes("EXAMINE \"R&-D\"")) << "whichever it is";
}

TEST_F(ScopeTest, a_name_that_is_encoded_in_another_way_than_the_one_is_not_decoded) {
  open({"Archive", "a/*"});
  EXPECT_FALSE(passes("EXAMINE Archiv&AGU-")) << "a letter that stands for itself is not encoded";
  EXPECT_FALSE(passes("EXAMINE a&AC8-b")) << "nor is the separator";
  EXPECT_TRUE(passes("EXAMINE a/&AOQ-"));
  open({"R&-D"});
  EXPECT_TRUE(passes("EXAMINE R&-D"));
  EXPECT_FALSE(passes("EXAMINE R&D")) << "a folder that somebody spelled wrongly is another one";
}

TEST_F(ScopeTest, bytes_above_ascii_pass_only_in_quotes_as_utf8_and_after_the_server_agreed) {
  open({"*"});
  EXPECT_FALSE(filter->receive("a EXAMINE \"Entwürfe\"\r\n"));
  open({"*"});
  ASSERT_TRUE(filter->receive("e ENABLE UTF8=ACCEPT\r\n"));
  filter->server_said("* ENABLED\r\n");  // not this
  filter->server_answered("e");
  EXPECT_FALSE(filter->receive("a EXAMINE \"Entwürfe\"\r\n"));
  open({"*"});
  filter->server_said("* ENABLED UTF8=ACCEPT\r\n");  // nobody asked
  EXPECT_FALSE(filter->receive("a EXAMINE \"Entwürfe\"\r\n"));
  open({"*"});
  enable_utf8();
  EXPECT_FALSE(passes("EXAMINE Entwürfe"));
  EXPECT_FALSE(passes("UID SEARCH SUBJECT ü"));
  EXPECT_TRUE(passes("UID SEARCH SUBJECT \"ü\""));
  EXPECT_FALSE(passes("EXAMINE \"Entw\xFCrfe\""));
  open({"*"});
  enable_utf8();
  EXPECT_FALSE(passes("EXAMINE {3+}\r\nx\x80y"));
}

TEST_F(ScopeTest, nothing_follows_an_enable_before_its_answer) {
  open({"&AOQ-"});
  EXPECT_FALSE(filter->receive("e ENABLE UTF8=ACCEPT\r\na EXAMINE &AOQ-\r\n"));
}

TEST_F(ScopeTest, what_could_change_the_meaning_of_names_unseen_is_not_enabled) {
  open({"*"});
  for (const char* what : {"UTF8=ALL", "UTF8=ONLY", "IMAP4rev2", "UTF8=ACCEPT UTF8=USER", "{9+}\r\nIMAP4rev2"})
    EXPECT_FALSE(passes(std::string("ENABLE ") + what)) << what;
  EXPECT_TRUE(passes("ENABLE QRESYNC"));
}

TEST_F(ScopeTest, a_proof_reaches_its_folder_and_no_other_in_utf8_too) {
  open({"*"}, Purpose::backup_prove);
  enable_utf8();
  EXPECT_TRUE(passes("SELECT \"Mailhold proof 0123456789abcdef0123456789abcdef\""));
  EXPECT_FALSE(passes("SELECT \"Mailhold pröof 0123456789abcdef0123456789abcdef\""));
  EXPECT_FALSE(passes("SELECT \"Entwürfe\""));
}

TEST(ShownCapabilities, have_utf8_where_it_is_offered) {
  EXPECT_EQ(shown_capabilities(Purpose::backup_read, {"imap4REV1", "utf8=accept", "XLIST"}),
            (std::vector<std::string>{"IMAP4rev1", "UTF8=ACCEPT"}));
}

}  // namespace
}  // namespace mailhold::imap
