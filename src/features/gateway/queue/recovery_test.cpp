// What a crash of gatewayd out costs: nothing that was acknowledged, and at most what was under way comes twice.
#include <signal.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/text.h"
#include "fakes/queue_fixture.h"
#include "features/gateway/queue/queue.h"
#include "features/gateway/queue/queue_verbs.h"

#include <boost/json.hpp>

namespace mailhold::queue {
namespace {

class RecoveryTest : public QueueFixture {};

TEST_F(RecoveryTest, a_restart_delivers_what_was_spooled_meanwhile_and_nothing_twice) {
  open();
  const Id first = accept();
  ASSERT_TRUE(comes_true([&] { return times_received(first) == 1; }));
  ASSERT_TRUE(comes_true([&] { return kinds_of(first).find("stored") != std::string::npos; }));
  close();
  const Id second = accept();
  open();
  ASSERT_TRUE(comes_true([&] { return times_received(second) == 1; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(times_received(first), 1U);
}

TEST_F(RecoveryTest, a_deferred_message_and_its_schedule_outlive_a_restart) {
  server.refuses_connections = true;
  open();
  const Id id = accept();
  ASSERT_TRUE(comes_true([&] {
    const auto entry = queue->show(id, soon());
    return entry && !entry->is_active && entry->item.attempts == 1;
  }));
  const Milliseconds due = queue->show(id, soon())->item.next_attempt;
  open();
  EXPECT_EQ(queue->show(id, soon())->item.next_attempt, due);
  server.refuses_connections = false;
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(server.count(), 0U);  // not before its time
  clock->set(due);
  ASSERT_TRUE(comes_true([&] { return times_received(id) == 1; }));
}

TEST_F(RecoveryTest, the_index_is_found_again_from_the_spool_alone) {
  settings.delivery.rest = std::chrono::milliseconds(0);
  server.refuses_connections = true;
  open();
  const Id id = accept();
  ASSERT_TRUE(comes_true([&] { return waiting() == 1; }));
  close();
  for (const char* name : {"gateway.db", "gateway.db-wal", "gateway.db-shm"}) std::filesystem::remove(folder / name);
  server.refuses_connections = false;
  open();
  ASSERT_TRUE(comes_true([&] { return times_received(id) == 1; }));
}

TEST_F(RecoveryTest, mail_is_delivered_while_the_store_has_no_keys_and_kept_when_they_are_back) {
  open();
  const Id warm = accept();
  ASSERT_TRUE(comes_true([&] { return times_received(warm) == 1; }));
  ASSERT_TRUE(comes_true([&] { return static_cast<bool>(store->retrieve(tenant, warm, soon())); }));
  keys.away = true;
  const Id id = accept();
  ASSERT_TRUE(comes_true([&] { return times_received(id) == 1; }));  // the hour key is known, so delivery goes on
  keys.away = false;
  ASSERT_TRUE(comes_true([&] { return static_cast<bool>(store->retrieve(tenant, id, soon())); }));
  EXPECT_EQ(times_received(id), 1U);
}

// The child is gatewayd out: it is killed in the middle of the work, again and again.
TEST_F(RecoveryTest, kill_loses_nothing_and_repeats_only_what_was_under_way) {
  table.routes[0].concurrency = 4;
  std::vector<Id> ids;
  for (int i = 0; i < 400; ++i) ids.push_back(accept());
  int rounds = 0;
  while (server.count() < 300 && rounds < 30) {
    ++rounds;
    const std::size_t goal = server.count() + 40;
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      open();
      for (;;) ::pause();
    }
    for (int i = 0; i < 2000 && server.count() < goal; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  open();
  ASSERT_TRUE(comes_true([&] {
    for (const Id& id : ids)
      if (times_received(id) == 0) return false;
    return true;
  }));
  std::size_t twice = 0;
  for (const Id& id : ids) twice += times_received(id) - 1;
  std::printf("killed %d times: %zu messages arrived, %zu of them again\n", rounds, ids.size(), twice);
  for (const Id& id : ids) EXPECT_TRUE(comes_true([&] { return static_cast<bool>(store->retrieve(tenant, id, soon())); }));
  EXPECT_LT(twice, ids.size());
}

TEST_F(RecoveryTest, no_address_or_subject_stands_in_any_file) {
  server.on_command = [](const std::string& line) -> std::optional<std::string> {
    return line.starts_with("RCPT TO:<needle-late") ? std::optional<std::string>("450 4.2.1 needle-reply") : std::nullopt;
  };
  open();
  accept({.to = {"needle-late@b.example", "needle-to@b.example"},
          .from = "needle-from@a.example",
          .subject = "needle-subject",
          .body = "needle-body\r\n"});
  accept({.to = {"needle-held@b.example"}, .subject = "needle-subject", .disposition = gateway::Disposition::held});
  ASSERT_TRUE(
      comes_true([&] { return waiting() == 1 && queue->counts(soon())->held == 1 && queue->counts(soon())->to_store == 0; }));
  close();
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    ++files;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(bytes.find("needle"), std::string::npos) << entry.path();
  }
  EXPECT_GE(files, 3U);
}

TEST_F(RecoveryTest, verbs_answer_what_the_command_line_asks) {
  open();
  QueueVerbs verbs(*queue, {[&](std::string_view name) { return name == "acme" ? std::optional<Id>(tenant) : std::nullopt; },
                            [&] { return std::vector<Id>{tenant}; }});
  const auto ask = [&](const std::string& json) {
    const auto answer = verbs.answer(json, soon());
    return answer ? boost::json::parse(*answer).as_object()
                  : boost::json::object{{"error", std::string(mailhold::name_of(answer.error().kind))}};
  };
  ASSERT_FALSE(ask(R"({"verb":"queue.pause","route":")" + route_id.text() + "\"}").contains("error"));
  const Id id = accept({.subject = "f\xc3\xbcr \xff you"});
  const Id held = accept({.disposition = gateway::Disposition::held});
  ASSERT_TRUE(comes_true([&] { return waiting() == 1 && queue->counts(soon())->held == 1; }));
  ASSERT_TRUE(comes_true([&] { return ask(R"({"verb":"message.find","tenant":"acme"})")["messages"].as_array().size() == 2; }));
  const auto listed = ask(R"({"verb":"queue.list","tenant":"acme"})")["messages"].as_array();
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].at("id").as_string(), id.text());
  EXPECT_EQ(listed[0].at("state").as_string(), "paused");
  EXPECT_EQ(ask(R"({"verb":"held.list"})")["messages"].as_array().at(0).at("held_for").as_string(), "virus");
  EXPECT_EQ(ask(R"({"verb":"held.show","id":")" + held.text() + "\"}")["id"].as_string(), held.text());
  EXPECT_EQ(ask(R"({"verb":"message.find","to":"bob@b.example","subject":"you"})")["messages"].as_array().size(), 1U);
  const std::string shown = boost::json::serialize(ask(R"({"verb":"message.show","id":")" + id.text() + R"(","part":"raw"})"));
  EXPECT_NE(shown.find("X-Id: " + id.text()), std::string::npos);
  EXPECT_EQ(*from_base64(std::string(boost::json::parse(shown).at("raw").as_string())),
            body_of({.subject = "f\xc3\xbcr \xff you"}, id));
  EXPECT_EQ(ask(R"({"verb":"message.trace","id":")" + held.text() + "\"}")["events"].as_array().at(0).at("event").as_string(),
            "accepted");
  EXPECT_TRUE(ask(R"({"verb":"queue.status"})").contains("waiting"));
  EXPECT_EQ(ask(R"({"verb":"queue.requeue","id":")" + id.text() + "\"}")["done"].as_bool(), true);
  EXPECT_EQ(ask(R"({"verb":"held.delete","id":")" + held.text() + "\"}")["done"].as_bool(), true);
  EXPECT_EQ(ask(R"({"verb":"held.release","id":")" + held.text() + "\"}")["error"].as_string(), "not_found");
  EXPECT_EQ(ask(R"({"verb":"queue.list","tenant":"nobody"})")["error"].as_string(), "not_found");
  EXPECT_EQ(ask(R"({"verb":"queue.explode"})")["error"].as_string(), "not_found");
  EXPECT_EQ(ask(R"({"verb":"queue.show","id":"7"})")["error"].as_string(), "invalid_input");
  EXPECT_EQ(ask("[]")["error"].as_string(), "invalid_input");
  EXPECT_FALSE(ask(R"({"verb":"queue.resume","route":")" + route_id.text() + "\"}").contains("error"));
  ASSERT_TRUE(comes_true([&] { return times_received(id) == 1; }));
}

}  // namespace
}  // namespace mailhold::queue
