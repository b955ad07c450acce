#include "formats/imap/imap_reader.h"

#include <gtest/gtest.h>

#include "corpora.h"

namespace mailhold::imap {
namespace {

using namespace std::string_literals;

std::vector<Response> read_all(std::string_view bytes, ReaderLimits limits = {}) {
  ImapReader reader(limits);
  EXPECT_TRUE(reader.receive(bytes));
  std::vector<Response> responses;
  while (auto response = reader.next()) responses.push_back(std::move(*response));
  return responses;
}

TEST(ImapReader, gives_a_message_with_what_stands_beside_it_in_any_order) {
  const std::string content = "Subject: a\r\n\r\n* 1 FETCH (UID 7)\r\nt1 OK {3}\r\n";
  const auto responses = read_all("* 12 FETCH (BODY[] {" + std::to_string(content.size()) + "}\r\n" + content +
                                  " FLAGS (\\Seen $Forwarded) UID 41 INTERNALDATE \"17-Jul-1996 02:44:25 -0700\""
                                  " RFC822.SIZE 44 MODSEQ (12121231000))\r\nt1 OK done\r\n");
  ASSERT_EQ(responses.size(), 2U);
  const FetchedMessage& message = responses[0].message;
  EXPECT_EQ(message.content, content);
  EXPECT_EQ(message.uid, 41U);
  EXPECT_EQ(message.flags, (std::vector<std::string>{"\\Seen", "$Forwarded"}));
  EXPECT_EQ(message.size, 44U);
  EXPECT_EQ(message.modseq, 12121231000U);
  EXPECT_EQ(message.date->zone_minutes, -420);
  EXPECT_EQ(write_internal_date(*message.date), "17-Jul-1996 02:44:25 -0700");
  EXPECT_EQ(responses[1].tag, "t1");
}

TEST(ImapReader, gives_the_same_whatever_the_pieces_are) {
  const std::string bytes =
      "* PREAUTH [CAPABILITY IMAP4rev1 QRESYNC] hello\r\n* LIST (\\HasNoChildren \\Sent) \"/\" {4}\r\nSent\r\n"
      "* 1 FETCH (UID 5 BODY[] ~{6}\r\na\000b\r\nc FLAGS ())\r\n* VANISHED (EARLIER) 3:5,9\r\n+ go\r\na2 NO [LIMIT] later {5}\r\n"s;
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    ImapReader reader;
    for (std::size_t at = 0; at < bytes.size(); at += piece)
      ASSERT_TRUE(reader.receive(std::string_view(bytes).substr(at, piece)));
    std::vector<Response> all;
    while (auto response = reader.next()) all.push_back(std::move(*response));
    ASSERT_EQ(all.size(), 6U) << piece;
    EXPECT_EQ(all[0].condition, Condition::preauth);
    EXPECT_EQ(all[0].capabilities, (std::vector<std::string>{"IMAP4rev1", "QRESYNC"}));
    EXPECT_EQ(all[1].folder.name, "Sent");
    EXPECT_EQ(all[2].message.content->size(), 6U);
    EXPECT_EQ(all[3].vanished, (std::vector<UidRange>{{3, 5}, {9, 9}}));
    EXPECT_EQ(all[4].kind, Response::Kind::continuation);
    EXPECT_EQ(all[5].code, "LIMIT");
  }
}

TEST(ImapReader, reads_past_a_message_above_the_limit_and_says_so) {
  ReaderLimits limits;
  limits.content_bytes_max = 10;
  const auto responses =
      read_all("* 1 FETCH (UID 5 BODY[] {11}\r\n12345678901)\r\n* 2 FETCH (UID 6 BODY[] {10}\r\n1234567890)\r\n", limits);
  ASSERT_EQ(responses.size(), 2U);
  EXPECT_EQ(responses[0].message.content_bytes_dropped, 11U);
  EXPECT_FALSE(responses[0].message.content);
  EXPECT_EQ(responses[1].message.content, "1234567890");
}

TEST(ImapReader, refuses_what_has_no_end) {
  struct Row {
    const char* name;
    std::string bytes;
  };
  const Row rows[] = {
      {"line", std::string(9000, 'x')},
      {"line after a literal", "* LIST () {1}\r\na" + std::string(9000, ' ')},
      {"literal that is no message", "* LIST () \"/\" {99999999999}\r\n"},
      {"number of literals", "* LIST " +
                                 [] {
                                   std::string all;
                                   for (int i = 0; i < 70; ++i) all += "{1}\r\na ";
                                   return all;
                                 }()},
      {"depth", "* 1 FETCH (BODYSTRUCTURE " + std::string(100, '(') + std::string(100, ')') + ")\r\n"},
      {"number of values", "* 1 FETCH (FLAGS (" +
                               [] {
                                 std::string all;
                                 for (int i = 0; i < 3000; ++i) all += "a ";
                                 return all;
                               }() +
                               "))\r\n"},
  };
  ReaderLimits limits;
  limits.line_bytes_max = 8192;
  limits.values_max = 1000;
  for (const Row& row : rows) {
    ImapReader reader(limits);
    const Status status = reader.receive(row.bytes);
    ASSERT_FALSE(status) << row.name;
    EXPECT_EQ(status.error().kind, ErrorKind::limit_exceeded) << row.name;
    EXPECT_FALSE(reader.receive("* OK\r\n")) << row.name;
  }
}

TEST(ImapReader, knows_that_a_response_is_not_over) {
  ImapReader reader;
  ASSERT_TRUE(reader.receive("* 1 FETCH (UID 5 BODY[] {11}\r\n12345"));
  EXPECT_FALSE(reader.is_between_responses());
  EXPECT_FALSE(reader.next());
}

TEST(ImapReader, takes_the_spellings_of_real_servers) {
  CORPUS_OR_RETURN(folder, "mailkit-imap-pop-smtp");
  std::size_t files = 0, fetched = 0, lists = 0, unread = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "Imap")) {
    if (!entry.is_regular_file() || entry.path().extension() != ".txt") continue;
    ++files;
    for (const Response& response : read_all(read_whole_file(entry.path()))) {
      fetched += response.kind == Response::Kind::fetch ? 1 : 0;
      lists += response.kind == Response::Kind::list ? 1 : 0;
      unread += response.kind == Response::Kind::other ? 1 : 0;
    }
  }
  EXPECT_GT(files, 200U);
  EXPECT_GT(fetched, 200U);
  EXPECT_GT(lists, 50U);
  std::printf("%zu files, %zu fetched, %zu lists, %zu others\n", files, fetched, lists, unread);
}

TEST(ImapReader, reads_domino_which_puts_parts_into_parentheses) {
  const auto responses = read_all("* 2 FETCH (UID 14935 (FLAGS (\\Seen)) RFC822.SIZE 3)\r\n");
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_EQ(responses[0].message.uid, 14935U);
  EXPECT_TRUE(responses[0].message.flags);
  EXPECT_EQ(responses[0].message.size, 3U);
}

TEST(ImapReader, a_word_of_the_fuzzing_dictionary_never_harms) {
  CORPUS_OR_RETURN(folder, "imap-codec-fuzz");
  for (const char* name : {"terminals.dict", "blns.dict"}) {
    const std::string words = read_whole_file(folder / "imap-codec/fuzz" / name);
    std::size_t begin = 0;
    while (begin < words.size()) {
      const std::size_t end = std::min(words.find('\n', begin), words.size());
      const std::string word = words.substr(begin, end - begin);
      for (const std::string& line : {word, "* " + word, "* 1 FETCH (" + word + ")", "t1 " + word}) {
        ImapReader reader;
        (void)reader.receive(line + "\r\n* OK\r\n");
        while (reader.next()) {
        }
      }
      begin = end + 1;
    }
  }
}

TEST(InternalDate, comes_back_as_it_was) {
  for (const char* text :
       {"17-Jul-1996 02:44:25 -0700", "01-Jan-1970 00:00:00 +0000", "29-Feb-2024 23:59:59 +1345", "31-Dec-1969 23:00:00 -0030"}) {
    const auto date = parse_internal_date(text);
    ASSERT_TRUE(date) << text;
    EXPECT_EQ(write_internal_date(*date), text);
  }
  EXPECT_EQ(parse_internal_date(" 1-Jul-1996 02:44:25 -0700")->time, parse_internal_date("01-Jul-1996 09:44:25 +0000")->time);
  for (const char* text :
       {"", "17-Jul-1996", "30-Feb-2024 00:00:00 +0000", "17-Jul-1996 24:00:00 +0000", "17-Jul-1996 02:44:25 0700"})
    EXPECT_FALSE(parse_internal_date(text)) << text;
}

TEST(UidSet, is_written_with_ranges_and_read_either_way_round) {
  EXPECT_EQ(write_uid_set({1, 2, 3, 7, 9, 10}), "1:3,7,9:10");
  EXPECT_EQ(parse_uid_set("3:1,7"), (std::vector<UidRange>{{1, 3}, {7, 7}}));
  for (const char* text : {"", "0", "1:*", "a", "1,,2", "4294967296"}) EXPECT_FALSE(parse_uid_set(text)) << text;
}

}  // namespace
}  // namespace mailhold::imap
