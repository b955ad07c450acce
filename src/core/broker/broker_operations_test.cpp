// Who must sign what before it counts: everything but the ledger's own disk and keyd is the real thing.
#include <future>
#include <thread>

#include "fakes/broker_fixture.h"

namespace mailhold::broker {
namespace {

using ledger::soon;

using BrokerOperations = BrokerFixture;

TEST_F(BrokerOperations, one_operator_alone_can_begin) {
  const Id route = Id::random();
  EXPECT_FALSE(waits(set_route(route, "mx.example", root_)));
  EXPECT_EQ(host_of(route), "mx.example");
  EXPECT_FALSE(waits(add(second_, "operator", access::region_tenant(), root_)));
  EXPECT_EQ(people(), 2U);
}

TEST_F(BrokerOperations, a_new_person_takes_two) {
  ASSERT_TRUE(add(second_, "operator", access::region_tenant(), root_));
  const Somebody third, administrator;
  const auto asked = add(third, "operator", access::region_tenant(), root_);
  ASSERT_TRUE(waits(asked));
  EXPECT_EQ(asked->at("person").as_string(), third.id.text());
  EXPECT_EQ(people(), 2U);
  EXPECT_EQ(approve(*asked, access::region_tenant(), root_).error().kind, ErrorKind::denied);
  EXPECT_EQ(approve(*asked, access::region_tenant(), third).error().kind, ErrorKind::denied);
  EXPECT_TRUE(approve(*asked, access::region_tenant(), second_));
  EXPECT_EQ(people(), 3U);
  EXPECT_FALSE(approve(*asked, access::region_tenant(), second_)) << "once";

  const auto for_tenant = add(administrator, "administrator", tenant_, second_);
  ASSERT_TRUE(waits(for_tenant));
  EXPECT_TRUE(approve(*for_tenant, tenant_, third));
  EXPECT_EQ(people(), 4U);
  // Taking rights away takes one.
  EXPECT_TRUE(apply("person.remove", access::region_tenant(), {{"person", third.id.text()}}, root_));
  EXPECT_EQ(people(), 3U);
}

TEST_F(BrokerOperations, a_new_destination_takes_two_and_less_takes_one) {
  const Id route = Id::random();
  ASSERT_TRUE(add(second_, "administrator", tenant_, root_));
  const auto asked = set_route(route, "mx.example", second_);
  ASSERT_TRUE(waits(asked));
  EXPECT_EQ(asked->at("host").as_string(), "mx.example");
  EXPECT_EQ(host_of(route), "");
  EXPECT_FALSE(waits(approve(*asked, tenant_, root_)));
  EXPECT_EQ(host_of(route), "mx.example");

  ASSERT_TRUE(waits(set_route(route, "elsewhere.example", root_)));
  EXPECT_EQ(host_of(route), "mx.example");
  EXPECT_FALSE(waits(set_route(route, "mx.example", root_, {{"paused", "true"}, {"concurrency", "2"}})));
  EXPECT_FALSE(waits(set_route(route, "mx.example", root_, {{"ca", "system"}, {"tls", "required"}})));
  EXPECT_TRUE(waits(set_route(route, "mx.example", root_, {{"ca", ""}, {"tls", "opportunistic"}}))) << "a weaker proof";
  EXPECT_FALSE(waits(apply("route.default", tenant_, {{"route", route.text()}}, root_)));
  EXPECT_FALSE(waits(apply("route.remove", tenant_, {{"route", route.text()}}, root_)));
}

TEST_F(BrokerOperations, what_the_first_signer_may_not_do_any_more_is_not_done) {
  const Somebody third;
  ASSERT_TRUE(add(second_, "operator", access::region_tenant(), root_));
  const auto asked = add(third, "operator", access::region_tenant(), second_);
  ASSERT_TRUE(waits(asked));
  ASSERT_TRUE(apply("person.remove", access::region_tenant(), {{"person", second_.id.text()}}, root_));
  EXPECT_EQ(approve(*asked, access::region_tenant(), root_).error().kind, ErrorKind::denied);
  EXPECT_EQ(people(), 1U);
}

TEST_F(BrokerOperations, a_person_of_another_tenant_is_no_second_one) {
  const Somebody stranger;
  const Id route = Id::random();
  ASSERT_TRUE(add(second_, "administrator", tenant_, root_));
  const auto added = add(stranger, "administrator", Id::random(), root_);
  EXPECT_FALSE(waits(added)) << "nobody else may sign for that tenant yet";
  const auto asked = set_route(route, "mx.example", second_);
  ASSERT_TRUE(waits(asked));
  EXPECT_EQ(approve(*asked, tenant_, stranger).error().kind, ErrorKind::denied);
  EXPECT_EQ(host_of(route), "");
}

TEST_F(BrokerOperations, contents_leave_only_when_two_have_signed_for_exactly_that) {
  ASSERT_TRUE(add(second_, "administrator", tenant_, root_));
  const Arguments wanted{{"mailbox", Id::random().text()}, {"form", "files"}, {"folder", "Projects"}};
  const auto asked = apply("export.allow", tenant_, wanted, second_);
  ASSERT_TRUE(waits(asked));
  EXPECT_EQ(asked->at("folder").as_string(), "Projects");
  const std::string hash = *from_hex(std::string(asked->at("waits_for_second_person").as_string()));
  EXPECT_EQ(permits_->find(hash, soon()).error().kind, ErrorKind::not_found);
  EXPECT_EQ(approve(*asked, tenant_, second_).error().kind, ErrorKind::denied);
  const auto allowed = approve(*asked, tenant_, root_);
  ASSERT_TRUE(allowed) << allowed.error().detail;
  EXPECT_EQ(allowed->at("export").as_string(), to_hex(hash));
  const auto permit = permits_->find(hash, soon());
  ASSERT_TRUE(permit);
  EXPECT_EQ(permit->arguments, wanted);
  EXPECT_EQ(permit->tenant, tenant_);
}

TEST_F(BrokerOperations, an_export_that_reads_oddly_is_refused_before_anybody_signs_it) {
  const std::string mailbox = Id::random().text();
  for (const Arguments& each :
       {Arguments{{"mailbox", "alice"}, {"form", "files"}}, Arguments{{"mailbox", mailbox}, {"form", "pst"}},
        Arguments{{"mailbox", mailbox}}, Arguments{{"mailbox", mailbox}, {"form", "files"}, {"at", "yesterday"}},
        Arguments{{"mailbox", mailbox}, {"form", "files"}, {"item", "7"}},
        Arguments{{"mailbox", mailbox}, {"form", "files"}, {"everything", "true"}}})
    EXPECT_EQ(apply("export.allow", tenant_, each, root_).error().kind, ErrorKind::invalid_input);
}

TEST_F(BrokerOperations, a_restore_into_anothers_mailbox_is_signed_by_two_for_that_mailbox_alone) {
  ASSERT_TRUE(add(second_, "administrator", tenant_, root_));
  const Id connection = add_connection(tenant_, {"restore.write"});
  const Arguments wanted{{"mailbox", Id::random().text()},
                         {"into", Id::random().text()},
                         {"connection", connection.text()},
                         {"at", "2026-11-21T18:00:00.000Z"},
                         {"folder", "Projects"}};
  const auto asked = apply("restore.allow", tenant_, wanted, second_);
  ASSERT_TRUE(waits(asked));
  EXPECT_EQ(asked->at("into").as_string(), wanted.at("into")) << "the second person sees whose mailbox it is";
  const std::string hash = *from_hex(std::string(asked->at("waits_for_second_person").as_string()));
  EXPECT_EQ(permits_->find(hash, soon()).error().kind, ErrorKind::not_found);
  EXPECT_EQ(approve(*asked, tenant_, second_).error().kind, ErrorKind::denied);
  const auto allowed = approve(*asked, tenant_, root_);
  ASSERT_TRUE(allowed) << allowed.error().detail;
  EXPECT_EQ(allowed->at("restore").as_string(), to_hex(hash));
  EXPECT_EQ(permits_->find(hash, soon())->arguments, wanted);
  // Suspending the connection, which was suspended all the while, takes the permit back.
  ASSERT_TRUE(apply("connection.suspend", tenant_, {{"connection", connection.text()}}, root_));
  EXPECT_EQ(permits_->find(hash, soon()).error().kind, ErrorKind::not_found);
}

TEST_F(BrokerOperations, a_restore_that_cannot_be_is_refused_before_anybody_signs_it) {
  const Id connection = add_connection(tenant_, {"restore.write"}), reading = add_connection(tenant_, {"backup.read"}),
           foreign = add_connection(Id::random(), {"restore.write"});
  const std::string mailbox = Id::random().text();
  const Arguments good{
      {"mailbox", mailbox}, {"into", Id::random().text()}, {"connection", connection.text()}, {"at", "2026-11-21T18:00:00Z"}};
  EXPECT_TRUE(apply("restore.allow", tenant_, good, root_));
  const std::map<std::string, std::string> wrong{
      {"into", mailbox},      {"mailbox", "alice"}, {"at", "yesterday"}, {"connection", reading.text()},
      {"everything", "true"}, {"overwrite", "no"},  {"dry_run", "false"}};
  for (const auto& [name, value] : wrong) {
    Arguments each = good;
    each[name] = value;
    EXPECT_EQ(apply("restore.allow", tenant_, each, root_).error().kind, ErrorKind::invalid_input) << name;
  }
  for (const char* name : {"mailbox", "connection", "at"}) {
    Arguments each = good;
    each.erase(name);
    EXPECT_EQ(apply("restore.allow", tenant_, each, root_).error().kind, ErrorKind::invalid_input) << name;
  }
  Arguments elsewhere = good;
  elsewhere["connection"] = foreign.text();
  EXPECT_EQ(apply("restore.allow", tenant_, elsewhere, root_).error().kind, ErrorKind::not_found) << "another tenant's";
}

TEST_F(BrokerOperations, a_restore_to_its_own_place_takes_one_and_to_any_other_place_two) {
  ASSERT_TRUE(add(second_, "administrator", tenant_, root_));
  const Id reading = add_connection(tenant_, {"backup.read"}, "ann", false),
           writing = add_connection(tenant_, {"restore.write"}, "ann", false),
           of_bob = add_connection(tenant_, {"restore.write"}, "bob", false);
  const std::string mailbox = Id::random().text();
  const Arguments own{{"mailbox", mailbox},
                      {"reading", reading.text()},
                      {"connection", writing.text()},
                      {"at", "2026-11-21T18:00:00.000Z"},
                      {"item", Id::random().text()}};
  const auto allowed = apply("restore.allow", tenant_, own, second_);
  ASSERT_TRUE(allowed) << allowed.error().detail;
  ASSERT_FALSE(waits(allowed));
  const std::string hash = *from_hex(std::string(allowed->at("restore").as_string()));
  EXPECT_EQ(permits_->find(hash, soon())->arguments, own);

  const auto with = [&](const std::string& name, const std::string& value) {
    Arguments each = own;
    each[name] = value;
    if (value.empty()) each.erase(name);
    return apply("restore.allow", tenant_, each, second_);
  };
  EXPECT_TRUE(waits(with("connection", of_bob.text()))) << "another account than the mailbox is read from";
  EXPECT_TRUE(waits(with("reading", ""))) << "nobody can tell whose place that is";
  EXPECT_TRUE(waits(with("reading", writing.text()))) << "nothing is read over it";
  EXPECT_TRUE(waits(with("into", Id::random().text())));
  const Id foreign = add_connection(Id::random(), {"backup.read"}, "ann", false);
  EXPECT_EQ(with("reading", foreign.text()).error().kind, ErrorKind::not_found) << "another tenant's";

  // One person does not end a suspension, and a suspension ends what one person has signed.
  ASSERT_TRUE(apply("connection.suspend", tenant_, {{"connection", writing.text()}}, root_));
  EXPECT_EQ(permits_->find(hash, soon()).error().kind, ErrorKind::not_found);
  const auto refused = apply("restore.allow", tenant_, own, second_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().detail.find("connection resume"), std::string::npos) << refused.error().detail;
}

TEST_F(BrokerOperations, a_restore_that_writes_over_contents_takes_two_also_into_its_own_place) {
  ASSERT_TRUE(add(second_, "administrator", tenant_, root_));
  const auto restore = [&](const access::Connection& place, Arguments more) {
    more.insert({{"mailbox", Id::random().text()}, {"item", Id::random().text()}, {"at", "2026-11-21T18:00:00.000Z"}});
    more.insert({{"reading", place.id.text()}, {"connection", place.id.text()}});
    return apply("restore.allow", tenant_, more, second_);
  };
  const access::Connection mail =
      *connections_->find(add_connection(tenant_, {"backup.read", "restore.write"}, "ann", false), soon());
  access::Connection calendars = mail;
  calendars.id = Id::random();
  calendars.kind = access::ConnectionKind::http;
  calendars.verbs = {"GET /**", "PUT /**"};
  ASSERT_TRUE(connections_->set(calendars, soon()));
  EXPECT_FALSE(waits(restore(calendars, {})));
  EXPECT_FALSE(waits(restore(calendars, {{"overwrite", "true"}, {"dry_run", "true"}}))) << "it can only read";
  EXPECT_FALSE(waits(restore(mail, {{"overwrite", "true"}}))) << "there it gives back flags";
  const auto asked = restore(calendars, {{"overwrite", "true"}});
  ASSERT_TRUE(waits(asked));
  EXPECT_EQ(asked->at("overwrite").as_string(), "true") << "the second person sees it";
  const std::string hash = *from_hex(std::string(asked->at("waits_for_second_person").as_string()));
  EXPECT_FALSE(counts(hash));
  EXPECT_EQ(approve(*asked, tenant_, second_).error().kind, ErrorKind::denied);
  EXPECT_TRUE(approve(*asked, tenant_, root_));
  EXPECT_TRUE(counts(hash));
}

TEST_F(BrokerOperations, what_was_written_over_a_connection_is_read_back_over_another_one_of_the_same_account_alone) {
  const Id reading = add_connection(tenant_, {"backup.read"}, "ann", false),
           writing = add_connection(tenant_, {"restore.write"}, "ann", true),
           of_bob = add_connection(tenant_, {"restore.write"}, "bob", false);
  const auto open = [&](Id written) {
    return broker_
        .open_connection({reading, access::ConnectionKind::imap, "backup.read", Id::random(), tenant_, {}, written}, "workerd",
                         soon())
        .error()
        .kind;
  };
  EXPECT_EQ(open(of_bob), ErrorKind::denied);
  EXPECT_EQ(open(Id::random()), ErrorKind::not_found) << "nobody knows what was written to";
  EXPECT_EQ(recorded("use.refused"), 2U);
  EXPECT_EQ(recorded("use.intent"), 0U);
  // Both sessions are begun; that host has no address.
  EXPECT_EQ(open(writing), ErrorKind::unavailable);
  EXPECT_EQ(open({}), ErrorKind::unavailable);
  EXPECT_EQ(recorded("use.intent"), 2U);
}

TEST_F(BrokerOperations, nothing_writes_a_restore_without_a_permit_and_the_refusal_is_recorded) {
  const Id connection = add_connection(tenant_, {"backup.read", "restore.write"}, "ann", false),
           other = add_connection(tenant_, {"backup.read", "restore.write"}, "bob", false);
  const auto allowed = apply("restore.allow", tenant_,
                             {{"mailbox", Id::random().text()},
                              {"reading", connection.text()},
                              {"connection", connection.text()},
                              {"at", "2026-11-21T18:00:00Z"}},
                             root_);
  ASSERT_TRUE(allowed) << allowed.error().detail;
  const std::string permit = *from_hex(std::string(allowed->at("restore").as_string()));
  const auto open = [&](Id to, const std::string& purpose, const std::string& by) {
    return broker_.open_connection({to, access::ConnectionKind::imap, purpose, Id::random(), {}, by}, "workerd", soon());
  };
  struct {
    Id to;
    const char* purpose;
    std::string by;
  } const refused[] = {{connection, "restore.write", ""},
                       {connection, "restore.write", std::string(32, 'x')},
                       {connection, "backup.read", permit},
                       {other, "restore.write", permit}};
  for (const auto& each : refused) {
    const auto session = open(each.to, each.purpose, each.by);
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().kind, ErrorKind::denied) << session.error().detail;
  }
  EXPECT_EQ(usage_->of_day(connection, soon())->sessions, 0U);
  EXPECT_EQ(recorded("use.refused"), 4U);
  EXPECT_EQ(recorded("use.intent"), 0U);
  // With it the session is begun; that host has no address.
  EXPECT_EQ(open(connection, "restore.write", permit).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(recorded("use.intent"), 1U);
  // What was signed for as a dry run opens sessions too, which only read.
  const std::string dry_run = allowed_restore(connection, {{"dry_run", "true"}});
  EXPECT_EQ(open(connection, "restore.write", dry_run).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(recorded("use.intent"), 2U);
  ASSERT_TRUE(apply("connection.suspend", tenant_, {{"connection", connection.text()}}, root_));
  EXPECT_EQ(open(connection, "restore.write", permit).error().kind, ErrorKind::denied);
}

TEST_F(BrokerOperations, a_withdrawal_that_failed_comes_first_and_again) {
  const Id connection = add_connection(tenant_, {"backup.read", "restore.write"}, "ann", false);
  const Arguments named{{"connection", connection.text()}}, of_bob{{"connection", connection.text()}, {"user", "bob"}};
  const auto broken = [&](bool is_broken) {
    ASSERT_TRUE(records_->execute(
        is_broken ? "CREATE TRIGGER broken BEFORE UPDATE ON permits BEGIN SELECT RAISE(ABORT, 'x'); END" : "DROP TRIGGER broken",
        {}, soon()));
  };
  // What was signed for one account never opens another.
  std::string permit = allowed_restore(connection);
  broken(true);
  EXPECT_FALSE(apply("connection.set", tenant_, of_bob, root_));
  EXPECT_EQ(connections_->find(connection, soon())->user, "ann");
  EXPECT_FALSE(apply("connection.remove", tenant_, named, root_));
  EXPECT_TRUE(connections_->find(connection, soon())) << "it can be removed again";
  // A suspension takes effect, and says that it is not whole.
  EXPECT_FALSE(apply("connection.suspend", tenant_, named, root_));
  EXPECT_TRUE(connections_->find(connection, soon())->suspended);
  EXPECT_TRUE(counts(permit));
  broken(false);
  ASSERT_TRUE(apply("connection.suspend", tenant_, named, root_));
  EXPECT_FALSE(counts(permit));

  // The same once more withdraws as well: nobody knows how far the first try came.
  ASSERT_TRUE(apply("connection.resume", tenant_, named, root_));
  permit = allowed_restore(connection);
  ASSERT_TRUE(apply("connection.set", tenant_, {{"connection", connection.text()}, {"user", "ann"}}, root_));
  EXPECT_FALSE(counts(permit));
  // Also where it was taken away in between.
  permit = allowed_restore(connection);
  access::Connection anew = *connections_->find(connection, soon());
  ASSERT_TRUE(connections_->remove(tenant_, connection, soon()));
  ASSERT_TRUE(apply("connection.set", tenant_,
                    {{"connection", connection.text()},
                     {"kind", "imap"},
                     {"host", anew.host},
                     {"port", "993"},
                     {"ca", "system"},
                     {"user", "bob"},
                     {"purposes", "backup.read\nrestore.write"},
                     {"mailboxes", "*"}},
                    root_));
  EXPECT_FALSE(counts(permit));
}

TEST_F(BrokerOperations, what_is_signed_for_while_its_connection_is_suspended_does_not_survive_it) {
  const Id connection = add_connection(tenant_, {"restore.write"});
  std::promise<void> is_between, goes_on;
  std::atomic<int> asked = 0;
  when_a_key_is_asked_for_ = [&] {
    if (asked++ > 0) return;
    is_between.set_value();
    goes_on.get_future().wait();
  };
  std::string permit;
  std::jthread signing([&] { permit = allowed_restore(connection, {{"into", Id::random().text()}}); });
  ASSERT_EQ(is_between.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  std::promise<bool> is_suspended;
  auto suspended = is_suspended.get_future();
  std::jthread suspending([&] {
    is_suspended.set_value(static_cast<bool>(apply("connection.suspend", tenant_, {{"connection", connection.text()}}, root_)));
  });
  (void)suspended.wait_for(std::chrono::milliseconds(200));  // it waits for the other one, or is through
  goes_on.set_value();
  signing.join();
  EXPECT_TRUE(suspended.get());
  EXPECT_FALSE(counts(permit));
}

TEST_F(BrokerOperations, what_lets_backups_be_deleted_takes_two_and_more_keeping_takes_one) {
  ASSERT_TRUE(add(second_, "operator", access::region_tenant(), root_));
  const auto kept = [&] { return *keeping_->of(tenant_, soon()); };
  const Id hold = Id::random(), mailbox = Id::random();
  EXPECT_FALSE(waits(apply("hold.add", tenant_, {{"hold", hold.text()}, {"name", "Case 7"}, {"reason", "a court"}}, root_)));
  EXPECT_EQ(kept().holds.size(), 1U);
  const auto ending = apply("hold.remove", tenant_, {{"hold", hold.text()}}, root_);
  ASSERT_TRUE(waits(ending));
  EXPECT_EQ(kept().holds.size(), 1U);
  EXPECT_EQ(apply("mailbox.remove", tenant_, {{"mailbox", mailbox.text()}}, root_).error().kind, ErrorKind::denied);
  EXPECT_EQ(approve(*ending, tenant_, root_).error().kind, ErrorKind::denied);
  EXPECT_FALSE(waits(approve(*ending, tenant_, second_)));
  EXPECT_TRUE(kept().holds.empty());

  const auto cut = apply("retention.set", tenant_, {{"days", "30"}}, root_);
  ASSERT_TRUE(waits(cut));
  EXPECT_EQ(cut->at("sets days").as_string(), "30") << "the second person sees what it is";
  EXPECT_TRUE(kept().rules.empty());
  EXPECT_FALSE(waits(approve(*cut, tenant_, second_)));
  EXPECT_FALSE(waits(apply("retention.set", tenant_, {{"days", "40"}}, root_)));
  EXPECT_TRUE(waits(apply("retention.set", tenant_, {{"days", "39"}}, root_)));
  EXPECT_EQ(access::days_kept(kept(), {}, 1), 40U);

  const auto removal = apply("mailbox.remove", tenant_, {{"mailbox", mailbox.text()}}, root_);
  ASSERT_TRUE(waits(removal));
  EXPECT_TRUE(kept().removals.empty());
  // A hold that comes before the second signature stops it.
  ASSERT_TRUE(apply("hold.add", tenant_, {{"hold", hold.text()}, {"name", "Case 8"}, {"reason", "a court"}}, second_));
  EXPECT_EQ(approve(*removal, tenant_, second_).error().kind, ErrorKind::denied);
  EXPECT_TRUE(kept().removals.empty());
}

}  // namespace
}  // namespace mailhold::broker
