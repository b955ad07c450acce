#include "features/gateway/queue/queue.h"

#include "base/text.h"
#include "fakes/queue_fixture.h"

namespace mailhold::queue {
namespace {

constexpr Milliseconds minute = 60'000;

class QueueTest : public QueueFixture {};

TEST_F(QueueTest, a_message_is_delivered_stored_and_traced) {
  open();
  const Id id = accept();
  ASSERT_TRUE(comes_true([&] { return server.count() == 1; }));
  EXPECT_EQ(server.messages()[0].rcpt_to, std::vector<std::string>{"bob@b.example"});
  EXPECT_EQ(server.messages()[0].body, body_of({}, id));
  ASSERT_TRUE(comes_true([&] { return static_cast<bool>(store->retrieve(tenant, id, soon())); }));
  EXPECT_EQ(*store->retrieve(tenant, id, soon()), body_of({}, id));
  ASSERT_TRUE(comes_true([&] {
    return kinds_of(id) == "accepted stored delivered" || kinds_of(id) == "accepted delivered stored";
  })) << kinds_of(id);
  EXPECT_EQ(waiting(), 0U);
}

TEST_F(QueueTest, many_messages_share_sessions_and_arrive_once) {
  table.routes[0].concurrency = 3;
  open();
  std::vector<Id> ids;
  for (int i = 0; i < 500; ++i) ids.push_back(accept());
  ASSERT_TRUE(comes_true([&] { return server.count() >= 500; }));
  for (const Id& id : ids) EXPECT_EQ(times_received(id), 1U);
  EXPECT_LE(server.receiving_at_once_most(), 3);
  EXPECT_LE(server.connections(), 30);
}

TEST_F(QueueTest, each_recipient_has_its_own_end) {
  server.on_command = [](const std::string& line) -> std::optional<std::string> {
    if (line.find("bad@") != std::string::npos && line.starts_with("RCPT")) return "550 5.1.1 no such user";
    if (line.find("later@") != std::string::npos && line.starts_with("RCPT")) return "450 4.2.1 busy";
    return std::nullopt;
  };
  open();
  const Id id = accept({.to = {"good@b.example", "bad@b.example", "later@b.example"}});
  ASSERT_TRUE(comes_true([&] {
    const auto entry = queue->show(id, soon());
    return entry && !entry->is_active && entry->item.attempts == 1;
  }));
  const auto entry = *queue->show(id, soon());
  EXPECT_EQ(entry.item.recipients[0].state, RecipientState::delivered);
  EXPECT_EQ(entry.item.recipients[1].state, RecipientState::bounced);
  EXPECT_EQ(entry.item.recipients[2].state, RecipientState::deferred);
  EXPECT_EQ(entry.item.next_attempt, clock->now() + 5 * minute);
  // The sender is told about the one that failed, in a message with the null sender.
  ASSERT_TRUE(comes_true([&] { return server.count() == 2; }));
  const auto notice = server.messages()[1];
  EXPECT_EQ(notice.mail_from, "");
  EXPECT_EQ(notice.rcpt_to, std::vector<std::string>{"ann@a.example"});
  EXPECT_NE(notice.body.find("Final-Recipient: rfc822; bad@b.example"), std::string::npos);
  EXPECT_EQ(notice.body.find("later@"), std::string::npos);
  EXPECT_EQ(notice.body.find("text of"), std::string::npos);
  // Five minutes later the deferred one is tried again, alone.
  server.on_command = nullptr;
  clock->advance(5 * minute);
  ASSERT_TRUE(comes_true([&] { return server.count() == 3; }));
  EXPECT_EQ(server.messages()[2].rcpt_to, std::vector<std::string>{"later@b.example"});
  ASSERT_TRUE(comes_true([&] { return waiting() == 0; }));
  EXPECT_EQ(server.count(), 3U);
}

TEST_F(QueueTest, a_message_nobody_takes_is_given_up_after_its_life_and_never_bounced_twice) {
  server.on_command = [](const std::string& line) -> std::optional<std::string> {
    if (line == "RCPT TO:<bob@b.example>") return "450 4.2.1 busy";
    return std::nullopt;
  };
  open();
  const Id id = accept();
  std::uint32_t attempts = 0;
  ASSERT_TRUE(comes_true([&] {
    return server.count() >= 2 || [&] {
      const auto entry = queue->show(id, soon());
      if (entry && !entry->is_active && entry->item.attempts > attempts) {
        attempts = entry->item.attempts;
        clock->set(entry->item.next_attempt);
      }
      return false;
    }();
  }));
  const auto messages = server.messages();
  EXPECT_NE(messages[0].body.find("Subject: Your message is delayed"), std::string::npos);
  EXPECT_NE(messages[1].body.find("Subject: Your message could not be delivered"), std::string::npos);
  EXPECT_NE(messages[1].body.find("Status: 4.4.7"), std::string::npos);
  EXPECT_GT(attempts, 20U);
  ASSERT_TRUE(comes_true([&] { return waiting() == 0; }));
}

TEST_F(QueueTest, the_null_sender_and_refused_notices_get_no_notice) {
  server.on_command = [](const std::string& line) -> std::optional<std::string> {
    return line.starts_with("RCPT") ? std::optional<std::string>("550 5.1.1 nobody here") : std::nullopt;
  };
  open();
  const Id from_nobody = accept({.from = ""});
  const Id from_ann = accept();  // its notice is refused, too
  ASSERT_TRUE(comes_true([&] {
    return kinds_of(from_nobody).find("bounced") != std::string::npos && kinds_of(from_ann).find("notice") != std::string::npos &&
           waiting() == 0;
  }));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(waiting(), 0U);
  EXPECT_EQ(server.count(), 0U);
  EXPECT_EQ(kinds_of(from_nobody).find("notice"), std::string::npos);
}

TEST_F(QueueTest, a_dead_destination_defers_all_and_the_failover_takes_over) {
  server.refuses_connections = true;
  open();
  const Id id = accept();
  ASSERT_TRUE(comes_true([&] {
    const auto entry = queue->show(id, soon());
    return entry && !entry->is_active && entry->item.attempts == 1;
  }));
  EXPECT_EQ(queue->show(id, soon())->item.recipients[0].status.substr(0, 2), "4.");
  fakes::SmtpServer second;
  access::Route failover = table.routes[0];
  failover.id = Id::random();
  failover.port = second.port();
  table.routes[0].failover = failover.id;
  table.routes.push_back(failover);
  queue->set_routes(table);
  ASSERT_TRUE(queue->requeue(id, soon()));
  ASSERT_TRUE(comes_true([&] { return second.count() == 1; }));
  ASSERT_TRUE(comes_true([&] { return waiting() == 0; }));
}

TEST_F(QueueTest, a_connection_lost_in_the_middle_of_data_is_tried_again) {
  server.drop_after_body_bytes = 1000;
  open();
  const Id id = accept({.body = std::string(5000, 'x') + "\r\n" + std::string(5000, 'y') + "\r\n"});
  ASSERT_TRUE(comes_true([&] {
    const auto entry = queue->show(id, soon());
    return entry && !entry->is_active;
  }));
  EXPECT_EQ(server.count(), 0U);
  server.drop_after_body_bytes = 0;
  ASSERT_TRUE(queue->requeue(id, soon()));
  ASSERT_TRUE(comes_true([&] { return times_received(id) == 1 && waiting() == 0; }));
}

TEST_F(QueueTest, what_the_server_confirmed_is_never_sent_again) {
  // The server confirms and hangs up at once: the 250 was seen, so it counts.
  server.on_command = [](const std::string& line) -> std::optional<std::string> {
    return line == "QUIT" ? std::optional<std::string>(fakes::drop) : std::nullopt;
  };
  open();
  const Id id = accept();
  ASSERT_TRUE(comes_true([&] { return times_received(id) == 1; }));
  clock->advance(24 * 60 * minute);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_EQ(times_received(id), 1U);
  EXPECT_EQ(waiting(), 0U);
}

TEST_F(QueueTest, an_idle_session_that_the_server_closed_is_replaced_at_once) {
  int mails = 0;
  server.on_command = [&mails](const std::string& line) -> std::optional<std::string> {
    return line.starts_with("MAIL") && ++mails == 2 ? std::optional<std::string>(fakes::drop) : std::nullopt;
  };
  open();
  accept();
  ASSERT_TRUE(comes_true([&] { return server.count() == 1; }));
  const Id second = accept();
  ASSERT_TRUE(comes_true([&] { return times_received(second) == 1; }));  // no five minutes in between
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(QueueTest, a_paused_route_sends_nothing_until_it_is_resumed) {
  open();
  ASSERT_TRUE(queue->pause(route_id, soon()));
  const Id id = accept();
  ASSERT_TRUE(comes_true([&] { return waiting() == 1; }));
  EXPECT_TRUE(queue->show(id, soon())->is_paused || queue->show(id, soon())->is_active);
  clock->advance(60 * minute);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(server.count(), 0U);
  open();  // a restart does not forget the pause
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(server.count(), 0U);
  EXPECT_EQ(queue->paused().size(), 1U);
  ASSERT_TRUE(queue->resume(route_id, soon()));
  ASSERT_TRUE(comes_true([&] { return times_received(id) == 1; }));
  EXPECT_EQ(queue->pause(Id::random(), soon()).error().kind, ErrorKind::not_found);
}

TEST_F(QueueTest, a_deleted_message_is_not_sent_and_nobody_is_told) {
  open();
  ASSERT_TRUE(queue->pause(route_id, soon()));
  const Id id = accept();
  ASSERT_TRUE(comes_true([&] { return waiting() == 1 && !queue->show(id, soon())->is_active; }));
  ASSERT_TRUE(queue->remove(id, soon()));
  ASSERT_TRUE(comes_true([&] { return waiting() == 0; }));
  ASSERT_TRUE(queue->resume(route_id, soon()));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(server.count(), 0U);
  EXPECT_NE(kinds_of(id).find("deleted"), std::string::npos);
  EXPECT_EQ(queue->remove(id, soon()).error().kind, ErrorKind::not_found);
}

TEST_F(QueueTest, a_tenant_without_a_route_waits_for_one) {
  const access::RouteTable with_route = table;
  table = {};
  open();
  const Id id = accept();
  ASSERT_TRUE(comes_true([&] {
    const auto entry = queue->show(id, soon());
    return entry && !entry->is_active && entry->item.attempts == 1;
  }));
  EXPECT_EQ(queue->show(id, soon())->item.recipients[0].status, "4.3.5");
  queue->set_routes(with_route);
  ASSERT_TRUE(comes_true([&] { return times_received(id) == 1; }));
}

TEST_F(QueueTest, a_route_that_comes_before_the_row_of_a_message_without_one_is_taken_at_once) {
  const access::RouteTable with_route = table;
  table = {};
  settings.commit_pause = std::chrono::milliseconds(1000);
  open();
  const Id first = accept();  // with its commit the pause begins
  ASSERT_TRUE(comes_true([&] {
    const auto entry = queue->show(first, soon());
    return entry && !entry->is_active && entry->item.attempts == 1;
  }));
  const Id second = accept();
  ASSERT_TRUE(comes_true([&] {
    const auto entry = queue->show(second, soon());
    return entry && entry->is_active;
  }));
  queue->set_routes(with_route);
  EXPECT_TRUE(comes_true([&] { return times_received(first) == 1 && times_received(second) == 1; }));
}

TEST_F(QueueTest, held_messages_are_released_exactly_once) {
  open();
  const Id id = accept({.disposition = gateway::Disposition::held});
  ASSERT_TRUE(comes_true([&] { return static_cast<bool>(queue->held().find(id, soon())); }));
  EXPECT_EQ(queue->held().find(id, soon())->held_for, "virus");
  EXPECT_EQ(queue->held().list(tenant, 10, soon())->size(), 1U);
  EXPECT_EQ(queue->held().list(Id::random(), 10, soon())->size(), 0U);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(server.count(), 0U);
  std::atomic<int> released = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&] { released += static_cast<bool>(queue->release(id, "looked at it", soon())); });
  }
  EXPECT_EQ(released, 1);
  ASSERT_TRUE(comes_true([&] { return times_received(id) == 1; }));
  ASSERT_TRUE(comes_true([&] { return waiting() == 0; }));
  open();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(times_received(id), 1U);
  EXPECT_EQ(queue->release(id, "", soon()).error().kind, ErrorKind::not_found);
  EXPECT_NE(kinds_of(id).find("released"), std::string::npos);
}

TEST_F(QueueTest, held_messages_outlive_restarts_and_the_spool_and_expire) {
  open();
  const Id id = accept({.disposition = gateway::Disposition::held});
  const Id other = accept({.disposition = gateway::Disposition::held});
  const Id gone = accept({.disposition = gateway::Disposition::held});
  ASSERT_TRUE(comes_true([&] { return queue->counts(soon())->held == 3; }));
  std::set<std::filesystem::path> segments;  // one more is made ahead: the first by name is the one written to
  for (const auto& entry : std::filesystem::directory_iterator(folder / "spool")) segments.insert(entry.path());
  const std::filesystem::path first_segment = *segments.begin();
  open_writer();  // a new segment
  const Id plain = accept();
  ASSERT_TRUE(comes_true([&] { return times_received(plain) == 1; }));
  ASSERT_TRUE(comes_true([&] {
    clock->advance(1'000);
    return !std::filesystem::exists(first_segment);
  }));
  open();
  ASSERT_TRUE(queue->remove_held(gone, "spam", soon()));
  ASSERT_TRUE(queue->release(id, "", soon()));
  ASSERT_TRUE(comes_true([&] { return times_received(id) == 1; }));
  EXPECT_EQ(queue->counts(soon())->held, 1U);
  clock->advance(31LL * 24 * 60 * minute);
  ASSERT_TRUE(comes_true([&] { return queue->counts(soon())->held == 0; }));
  ASSERT_TRUE(comes_true([&] { return kinds_of(other).find("expired") != std::string::npos; }));
}

TEST_F(QueueTest, a_rejected_message_leaves_only_its_trace) {
  open();
  const Id id = accept({.disposition = gateway::Disposition::rejected});
  ASSERT_TRUE(comes_true([&] { return kinds_of(id) == "rejected"; }));
  EXPECT_FALSE(store->retrieve(tenant, id, soon()));
  EXPECT_EQ(server.count(), 0U);
}

TEST_F(QueueTest, messages_are_found_by_address_and_words) {
  open();
  const Id id = accept({.to = {"Bob@b.example", "cid@b.example"}, .subject = "Invoice number 7"});
  accept({.subject = "other"});
  ASSERT_TRUE(comes_true([&] { return find_messages(*trace, {.tenant = tenant}, soon())->size() == 2; }));
  for (const Search& search :
       {Search{.tenant = tenant, .to = "bob@B.example", .words = "invoice"}, Search{.tenant = tenant, .to = "cid@b.example"},
        Search{.tenant = tenant, .from = "@a.example", .words = "7 Invoice"}}) {
    const auto found = *find_messages(*trace, search, soon());
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].message, id);
  }
  EXPECT_TRUE(find_messages(*trace, {.tenant = tenant, .to = "ob@b.example"}, soon())->empty());
  EXPECT_TRUE(find_messages(*trace, {.tenant = Id::random()}, soon())->empty());
  EXPECT_EQ(find_messages(*trace, {.tenant = tenant, .limit = 1}, soon())->size(), 1U);
}

TEST_F(QueueTest, more_than_fits_in_memory_waits_in_rows) {
  settings.delivery.active_items_max = 5;
  table.routes[0].concurrency = 1;
  std::atomic<bool> is_slow = true;
  server.on_message = [&](const fakes::ReceivedMessage&) -> std::optional<std::string> {
    while (is_slow) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return std::nullopt;
  };
  open();
  std::vector<Id> ids;
  for (int i = 0; i < 50; ++i) ids.push_back(accept());
  ASSERT_TRUE(comes_true([&] { return waiting() >= 40; }));
  is_slow = false;
  ASSERT_TRUE(comes_true([&] {
    clock->advance(1000);
    return server.count() == 50;
  }));
  for (const Id& id : ids) EXPECT_EQ(times_received(id), 1U);
}

}  // namespace
}  // namespace mailhold::queue
