#include "fakes/finding_fixture.h"

#include "base/metrics.h"
#include "base/text.h"
#include "fakes/cut_mail.h"
#include "fakes/stored_zip.h"

namespace mailhold::recover {
namespace {

using FindingTest = FindingFixture;

// How many documents were counted with this outcome, in this process.
std::uint64_t documents_counted(const std::string& outcome) {
  const std::string told = metrics_text(metrics().families());
  const std::string name = "mailhold_search_documents_total{outcome=\"" + outcome + "\"} ";
  const std::size_t at = told.find(name);
  return at == std::string::npos ? 0 : std::stoull(told.substr(at + name.size()));
}

TEST_F(FindingTest, items_are_found_as_of_a_moment) {
  fill(6, 3);
  server.folders["INBOX"].add("Subject: Soup\r\nFrom: eve@e.example\r\n\r\ntomato\r\n", {});
  const Milliseconds first = synced().synced_at;
  EXPECT_FALSE(finding_->find({mailbox}, "hello", 0, 100, soon())->complete);
  ASSERT_TRUE(take_in());
  EXPECT_TRUE(finding_->find({mailbox}, "hello", 0, 100, soon())->complete);
  EXPECT_EQ(folders_of("tomato"), Folders{"INBOX"});
  EXPECT_EQ(folders_of("hello folder:Archive"), (Folders{"Archive/2026", "Archive/2026", "Archive/2026"}));
  EXPECT_EQ(folders_of("hello folder:Arch"), Folders{});
  EXPECT_EQ(folders_of("from:bob").size(), 9U);
  EXPECT_EQ(finding_->find({mailbox}, "from:bob", 0, 4, soon())->items.size(), 4U);
  EXPECT_TRUE(finding_->find({mailbox}, "from:bob", 0, 4, soon())->more);
  // It goes, another comes, and flags change: what was is still found as of then.
  {
    const std::lock_guard lock(server.mutex);
    auto& inbox = server.folders["INBOX"];
    inbox.messages.pop_back();
    inbox.messages.front().flags = {"\\Flagged"};
  }
  server.folders["INBOX"].add("Subject: Salad\r\nFrom: eve@e.example\r\n\r\ntomato again\r\n", {});
  synced();
  const auto before = search_->figures(tenant, soon());
  ASSERT_TRUE(take_in());
  EXPECT_EQ(search_->figures(tenant, soon())->documents, before->documents + 1);  // a flag is no reason to read again
  EXPECT_EQ(folders_of("tomato"), Folders{"INBOX"});
  EXPECT_EQ(folders_of("subject:soup"), Folders{});
  EXPECT_EQ(folders_of("subject:soup", first), Folders{"INBOX"});
  EXPECT_EQ(folders_of("subject:salad", first), Folders{});
}

TEST_F(FindingTest, that_somebody_asks_stands_in_the_ledger_before_and_without_it_nothing_is_looked_for) {
  fill(2, 0);
  synced();
  ASSERT_TRUE(take_in());
  EXPECT_EQ(folders_of("hello").size(), 2U);
  EXPECT_EQ(ask({{"tenant", tenant.text()}, {"query", "nobodywrotethis"}}).at("items").as_array().size(), 0U);
  EXPECT_TRUE(ask({{"mailbox", mailbox.name}, {"query", "\"open"}}).contains("error"));
  const std::vector<std::pair<std::string, std::map<std::string, std::uint64_t>>> asked(2,
                                                                                        {"backup.searched", {{"mailboxes", 1}}});
  EXPECT_EQ(rules_.reports, asked);
  rules_.is_away = true;
  EXPECT_EQ(ask({{"mailbox", mailbox.name}, {"query", "hello"}}).at("error"), "unavailable");
}

TEST_F(FindingTest, words_of_documents_are_found_and_a_document_nobody_read_is_known) {
  const std::string docx =
      to_base64(stored_zip({{"[Content_Types].xml", ""}, {"word/document.xml", "<d><p><t>chalk cliffs</t></p></d>"}}));
  const std::string begin = "Content-Type: application/octet-stream; name=a\r\nContent-Transfer-Encoding: base64\r\nSubject: ";
  server.folders["INBOX"].add(begin + "office\r\n\r\n" + docx + "\r\n", {});
  server.folders["Archive/2026"].add(begin + "PDF\r\n\r\n" + to_base64("%PDF-1.4") + "\r\n", {});  // no program reads it here
  synced();
  const std::uint64_t read = documents_counted("read"), unreadable = documents_counted("unreadable");
  ASSERT_TRUE(take_in());
  EXPECT_EQ(folders_of("\"chalk cliffs\""), Folders{"INBOX"});
  EXPECT_EQ(folders_of("attachment:cliffs has:attachment"), Folders{"INBOX"});
  EXPECT_EQ(folders_of("has:unreadable"), Folders{"Archive/2026"});
  EXPECT_EQ(folders_of("has:attachment -has:unreadable"), Folders{"INBOX"});
  EXPECT_EQ(documents_counted("read"), read + 1);
  EXPECT_EQ(documents_counted("unreadable"), unreadable + 1);
}

TEST_F(FindingTest, mail_that_ends_before_its_end_is_found_by_what_is_left_of_it_and_comes_back_as_it_was) {
  for (const std::string& content : cut_mail(5)) server.folders["INBOX"].add(content, {"\\Seen"});
  const std::string whole = whole_mail();
  const auto up_to = [&](std::string_view text, std::size_t more = 0) {
    return whole.substr(0, whole.find(text) + text.size() + more);
  };
  server.folders["Cut/header without end"].add(up_to("Subject: =?utf-8?Q?F=C3=A4hre?= to the isl"));
  server.folders["Cut/header of a part"].add(up_to("Content-Type: application/octet-stream; na"));
  server.folders["Cut/open multipart"].add(up_to("seagulls =C3=BCberall\r\n"));
  server.folders["Cut/open base64"].add(up_to("Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n", 41));
  server.folders["Cut/open document"].add(up_to("filename=\"cliffs.docx\"\r\n\r\n", 90));
  const auto before = at_server();
  synced();
  EXPECT_EQ(progress.unreadable, 0U);
  EXPECT_EQ(backed_up(now), before);
  ASSERT_TRUE(take_in());
  EXPECT_TRUE(finding_->find({mailbox}, "seagulls", 0, 1000, soon())->complete);
  const auto among = [&](const std::string& query) {
    Folders folders;
    for (const std::string& folder : folders_of(query + " folder:Cut")) folders.insert(folder.substr(4));
    return folders;
  };
  EXPECT_EQ(among("from:anne").size(), 5U);
  EXPECT_EQ(among("subject:fähre").size(), 5U);
  EXPECT_EQ(among("subject:isl"), Folders{"header without end"});
  EXPECT_EQ(among("\"seagulls überall\""), (Folders{"header of a part", "open base64", "open document", "open multipart"}));
  EXPECT_EQ(among("lighthouse"), (Folders{"header of a part", "open base64", "open document"}));
  EXPECT_EQ(among("shore"), (Folders{"header of a part", "open document"})) << "behind where the base64 ends";
  EXPECT_EQ(among("has:unreadable"), Folders{"open document"});
  EXPECT_GE(folders_of("\"chalk cliffs\" folder:INBOX").size(), 2U) << "also where the multipart is not closed behind it";
  EXPECT_GE(folders_of("has:unreadable folder:INBOX").size(), 50U);
  {
    const std::lock_guard lock(server.mutex);
    server.folders.clear();
    server.folders["INBOX"];
  }
  const auto report = restore();
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_TRUE(report->is_exact());
  EXPECT_EQ(at_server(), before);
}

TEST_F(FindingTest, a_lost_index_is_made_again_and_a_known_one_goes_on) {
  fill(5, 0);
  synced();
  ASSERT_TRUE(take_in());
  stop();
  start();
  EXPECT_EQ(folders_of("hello").size(), 5U);
  ASSERT_TRUE(take_in());
  EXPECT_EQ(search_->figures(tenant, soon())->documents, 5U);
  stop();
  std::filesystem::remove_all(folder_);
  std::filesystem::create_directory(folder_);
  start();
  EXPECT_EQ(folders_of("hello").size(), 0U);
  ASSERT_TRUE(take_in());
  EXPECT_EQ(folders_of("hello").size(), 5U);
}

TEST_F(FindingTest, verbs_answer_without_content_and_choose_items_to_restore) {
  fill(3, 2);
  synced();
  ASSERT_TRUE(take_in());
  const json::object found = ask({{"mailbox", mailbox.name}, {"query", "subject:in"}});
  ASSERT_EQ(found.at("items").as_array().size(), 3U) << json::serialize(found);
  EXPECT_EQ(found.at("items").as_array()[0].as_object().size(), 6U);
  EXPECT_EQ(json::serialize(found).find("example"), std::string::npos);
  EXPECT_EQ(ask({{"tenant", tenant.text()}, {"query", "hello"}}).at("items").as_array().size(), 5U);
  EXPECT_EQ(ask({{"mailbox", "nobody"}, {"query", "hello"}}).at("error"), "not_found");
  EXPECT_EQ(ask({{"query", "hello"}}).at("error"), "invalid_input");
  EXPECT_NE(ask({{"mailbox", mailbox.name}, {"query", "\"open"}}).at("said").as_string().find("character 1"), std::string::npos);

  const Mailbox now_synced = *book->mailbox(mailbox.id, soon());
  const auto chosen = finding_->items_of(now_synced, "subject:old", 0, soon());
  ASSERT_TRUE(chosen);
  RestoreRequest request;
  request.items = *chosen;
  ASSERT_EQ(request.items.size(), 2U);
  {
    const std::lock_guard lock(server.mutex);
    for (auto& [name, folder] : server.folders) folder.messages.clear();
  }
  const auto report = restore(request);
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_EQ(report->count(Outcome::restored), 2U);
  const auto again = parse_report(write_report(*report));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->request.items, request.items);
  EXPECT_EQ(finding_->items_of(now_synced, "nothing", 0, soon()).error().kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace mailhold::recover
