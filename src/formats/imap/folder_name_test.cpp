#include "formats/imap/folder_name.h"

#include <gtest/gtest.h>

#include "corpora.h"

namespace mailhold::imap {
namespace {

TEST(FolderName, goes_to_modified_utf7_and_back) {
  struct Row {
    const char* utf8;
    const char* name;
  };
  const Row rows[] = {
      {"INBOX", "INBOX"},           {"~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"},  // the example of RFC 3501
      {"Entwürfe", "Entw&APw-rfe"}, {"Q&A", "Q&-A"},
      {"pää", "p&AOQA5A-"},         {"party 🎉", "party &2DzfiQ-"},
      {"a\tb", "a&AAk-b"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(to_modified_utf7(row.utf8), row.name);
    EXPECT_EQ(from_modified_utf7(row.name), row.utf8);
  }
}

TEST(FolderName, that_could_be_spelled_two_ways_is_refused) {
  for (const char* name : {"&AGE-", "&Jjo", "&Jjo!", "&U,BTFw-&ZeVnLIqe-", "&2Dw-", "&3Dw-", "&U/BTFw-", "a\xc3\xa4", "&-&"}) {
    EXPECT_FALSE(from_modified_utf7(name)) << name;
  }
}

TEST(FolderName, is_quoted_for_commands) {
  EXPECT_EQ(quoted_string("a \"b\" \\c"), "\"a \\\"b\\\" \\\\c\"");
  EXPECT_FALSE(quoted_string("a\r\nb LOGOUT"));
  EXPECT_FALSE(quoted_string("ä"));
  EXPECT_EQ(quoted_string("ä", true), "\"ä\"");
}

TEST(FolderName, of_imaptest_comes_back) {
  CORPUS_OR_RETURN(folder, "imaptest-scripts");
  EXPECT_NE(read_whole_file(folder / "mutf7").find("p&AOQA5A-"), std::string::npos);
  EXPECT_EQ(from_modified_utf7("p&AOQA5A-"), "pää");
}

}  // namespace
}  // namespace mailhold::imap
