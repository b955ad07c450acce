#include "features/recover/restore_items.h"

#include <boost/json.hpp>

#include "base/bytes.h"
#include "fakes/recover_fixture.h"

namespace mailhold::recover {
namespace {

namespace json = boost::json;

class RestoreItemsTest : public RecoverFixture {
 protected:
  void SetUp() override {
    RecoverFixture::SetUp();
    fill();
    ASSERT_TRUE(sync());
    server.folders["Archive/2026"].messages.clear();
    server.folders["INBOX"].mark(3, {"\\Flagged", "\\Deleted"});
  }
  static json::object page(const RestoreReport& report, const json::object& asked = {}) {
    const auto shown = shown_items(asked, report);
    EXPECT_TRUE(shown) << shown.error().detail;
    return shown ? *shown : json::object();
  }
  static std::size_t count(const RestoreReport& report, const json::object& asked) {
    return page(report, asked).at("items").as_array().size();
  }
};

TEST_F(RestoreItemsTest, a_dry_run_names_for_each_item_what_would_be_done) {
  const Picture before = at_server();
  const auto report = restore({.overwrites = true, .dry_run = true});
  ASSERT_TRUE(report);
  EXPECT_EQ(at_server(), before);
  const json::array items = page(*report).at("items").as_array();
  ASSERT_EQ(items.size(), 17U);
  std::map<std::string, std::size_t> plans;
  for (const json::value& each : items) {
    const json::object& item = each.as_object();
    const std::string would(item.at("would").as_string());
    ++plans[would];
    EXPECT_EQ(item.at("folder").as_string(), would == "be put back" ? "Archive/2026" : "INBOX");
    EXPECT_TRUE(item.at("received_at").as_string().ends_with("Z"));
    EXPECT_GT(item.at("bytes").to_number<std::uint64_t>(), letter("in 0").size() - 1);
    EXPECT_EQ(item.at("id").as_string().empty(), would == "be put back");
    if (would != "get other flags") continue;
    EXPECT_EQ(item.at("what").as_string(), "\\Flagged -> \\Seen");
    EXPECT_EQ(item.at("flags_before"), json::array{"\\Flagged"});
    EXPECT_EQ(item.at("flags_after"), json::array{"\\Seen"});
  }
  EXPECT_EQ(plans, (std::map<std::string, std::size_t>{{"be put back", 5}, {"get other flags", 1}, {"stay: it is there", 11}}));
}

TEST_F(RestoreItemsTest, a_restore_says_of_each_item_what_became_of_it_and_where_it_is) {
  const auto report = restore({.overwrites = true});
  ASSERT_TRUE(report);
  const json::array items = page(*report).at("items").as_array();
  EXPECT_EQ(items.size(), 17U);
  for (const json::value& each : items) {
    const json::object& item = each.as_object();
    EXPECT_FALSE(item.contains("would"));
    EXPECT_FALSE(item.at("id").as_string().empty());
    EXPECT_TRUE(item.contains("received_at"));
  }
  EXPECT_EQ(count(*report, {{"outcome", "restored"}}), 5U);
  EXPECT_EQ(count(*report, {{"outcome", "flags-set"}}), 1U);
  EXPECT_EQ(count(*report, {{"outcome", "present"}, {"folder", "INBOX"}}), 11U);
  EXPECT_EQ(count(*report, {{"outcome", "restored"}, {"folder", "INBOX"}}), 0U);
  EXPECT_EQ(count(*report, {{"folder", "Archive"}}), 5U) << "with what is below it";
}

TEST_F(RestoreItemsTest, pages_have_each_item_once_and_no_answer_is_without_end) {
  auto report = restore({.dry_run = true});
  ASSERT_TRUE(report);
  std::vector<std::string> seen;
  json::object asked{{"limit", 4}};
  for (int pages = 0; pages < 20; ++pages) {
    const json::object shown = page(*report, asked);
    EXPECT_LE(shown.at("items").as_array().size(), 4U);
    for (const json::value& each : shown.at("items").as_array()) seen.emplace_back(each.at("item").as_string());
    if (!shown.contains("after")) break;
    asked["after"] = shown.at("after");
  }
  std::vector<std::string> wanted;
  for (const RestoredItem& item : report->items) wanted.push_back(item.item.text());
  EXPECT_EQ(seen, wanted);
  while (report->items.size() < 3'000) {
    report->items.push_back(report->items.front());
    report->items.back().item = Id::random();
  }
  EXPECT_EQ(page(*report).at("items").as_array().size(), items_shown_default);
  EXPECT_EQ(count(*report, {{"limit", 1'000'000}}), items_shown_max);
  for (RestoredItem& item : report->items) item.target_id = std::string(100'000, 'x');
  const json::object large = page(*report, {{"limit", 1'000}});
  EXPECT_LT(large.at("items").as_array().size(), 60U);
  EXPECT_TRUE(large.contains("after"));
}

TEST_F(RestoreItemsTest, what_does_not_read_is_named) {
  const auto report = restore({.dry_run = true});
  ASSERT_TRUE(report);
  const std::pair<json::object, const char*> cases[] = {
      {{{"outcome", "gone"}}, "flags-set"}, {{{"limit", 0}}, "limit"},   {{{"limit", -1}}, "limit"},
      {{{"limit", "many"}}, "limit"},       {{{"after", "x"}}, "after"}, {{{"after", Id::random().text()}}, "after"}};
  for (const auto& [asked, named] : cases) {
    const auto shown = shown_items(asked, *report);
    ASSERT_FALSE(shown) << json::serialize(asked);
    EXPECT_EQ(shown.error().kind, ErrorKind::invalid_input);
    EXPECT_NE(shown.error().for_peer.find(named), std::string::npos) << shown.error().for_peer;
  }
}

TEST_F(RestoreItemsTest, a_kept_report_says_the_same_and_reads_only_whole) {
  const auto report = restore({.overwrites = true});
  ASSERT_TRUE(report);
  const std::string bytes = write_report(*report);
  const auto again = parse_report(bytes);
  ASSERT_TRUE(again);
  EXPECT_EQ(page(*again), page(*report));
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(parse_report(bytes.substr(0, size))) << size;
}

// As they were written before items had details, with one item each.
std::string older_report(std::uint8_t version, Id item) {
  ByteWriter writer;
  writer.u8(version).raw(Id::random().bytes()).u64(1'800'000'000'000).text("INBOX").raw(Id().bytes()).text("");
  writer.u8(1).u8(0).u8(version == 4 ? 0 : 1).text("").u64(7).u64(8).u32(1);
  writer.raw(item.bytes()).text("INBOX").text("1.5").u8(static_cast<std::uint8_t>(Outcome::flags_set)).text("why");
  if (version >= 2) writer.u32(1).raw(item.bytes());
  if (version >= 3) writer.raw(Id().bytes()).text("5f5f").text("Restored from ann");
  if (version >= 4) writer.u64(9).u64(10).text("whose").text("later").u8(1).u8(1);
  if (version >= 5) writer.text("").text("nobody let it in");
  return writer.take();
}

TEST(OlderReports, are_read_and_say_of_their_items_what_they_know) {
  const Id item = Id::random();
  for (std::uint8_t version = 1; version <= 5; ++version) {
    const auto report = parse_report(older_report(version, item));
    ASSERT_TRUE(report) << int{version};
    ASSERT_EQ(report->items.size(), 1U);
    EXPECT_TRUE(report->request.overwrites);
    EXPECT_EQ(report->request.place, version >= 3 ? "Restored from ann" : "");
    EXPECT_EQ(report->waiting.since, version >= 4 ? 10 : 0);
    EXPECT_EQ(report->not_read_back, version >= 5 ? "nobody let it in" : "");
    const auto shown = shown_items({}, *report);
    ASSERT_TRUE(shown);
    EXPECT_EQ(json::serialize(shown->at("items").as_array().at(0)),
              R"({"folder":"INBOX","outcome":"flags set","what":"why","item":")" + item.text() + R"(","id":"1.5"})");
    EXPECT_TRUE(parse_report(write_report(*report)));
  }
}

}  // namespace
}  // namespace mailhold::recover
