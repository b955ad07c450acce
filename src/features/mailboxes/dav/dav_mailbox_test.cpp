#include "features/mailboxes/dav/dav_mailbox.h"

#include "fakes/dav_dialer.h"
#include "fakes/dav_server.h"
#include "features/mailboxes/mailbox_contract.h"
#include "formats/dav/dav_path.h"

namespace mailhold::mailboxes {
namespace {

Deadline soon() { return Deadline::after(std::chrono::seconds(60)); }

std::string event(const std::string& subject) {
  return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\nBEGIN:VEVENT\r\nUID:" + subject +
         "@test\r\nDTSTART:20260301T090000Z\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:" + subject +
         " <&> ä\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
}

std::string contact(const std::string& name) {
  return "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:" + name + "@test\r\nFN:" + name + " <&> ä\r\nN:" + name + ";;;;\r\nEND:VCARD\r\n";
}

Item item_of(const std::string& subject, bool is_contact) {
  Item item;
  item.head.id = dav::encoded_segment(subject) + (is_contact ? ".vcf" : ".ics") + "\n\"before\"";
  item.head.type = is_contact ? ItemType::contact : ItemType::event;
  item.form = is_contact ? ContentForm::vcard : ContentForm::icalendar;
  item.content = is_contact ? contact(subject) : event(subject);
  return item;
}

std::unique_ptr<DavMailbox> open_at(SessionSource& server, const DavSettings& settings = {}) {
  const auto dial = [&server](const Deadline& deadline) -> Result<std::unique_ptr<net::Stream>> {
    ASSIGN_OR_RETURN(ipc::OwnedFd socket, server.open_http(Id(), Id(), "restore.write", deadline));
    return net::stream_over(socket.release());
  };
  auto opened = DavMailbox::open(dial, settings, soon());
  EXPECT_TRUE(opened) << opened.error().detail;
  return opened ? std::move(*opened) : nullptr;
}

class DavTestAccount : public TestAccount {
 public:
  explicit DavTestAccount(bool is_contacts) : is_contacts_(is_contacts) {}
  bool has_flags_and_dates() const override { return false; }
  bool has_names() const override { return true; }
  bool has_inbox() const override { return false; }
  bool tells_counts() const override { return false; }
  FolderPath folder() const override {
    return {std::string(is_contacts_ ? address_books_name : calendars_name), "Entwürfe & mehr" + name_};
  }
  Item item(const std::string& subject, std::vector<std::string>) const override { return item_of(subject, is_contacts_); }

 protected:
  const bool is_contacts_;
  std::string name_;
};

class FakeDavAccount final : public DavTestAccount {
 public:
  FakeDavAccount(FakeDavServer::Ways ways, bool is_contacts) : DavTestAccount(is_contacts) { server.ways = std::move(ways); }
  std::unique_ptr<MailboxTarget> session() override { return open_at(server); }
  void remove(const Folder& folder, const std::string& id) override {
    const std::lock_guard lock(server.mutex);
    server.collections.at(folder.id).remove(std::string(item_name(id)));
  }
  FakeDavServer server;
};
std::unique_ptr<TestAccount> modern() { return std::make_unique<FakeDavAccount>(FakeDavServer::Ways{}, false); }
std::unique_ptr<TestAccount> contacts() { return std::make_unique<FakeDavAccount>(FakeDavServer::Ways{}, true); }
std::unique_ptr<TestAccount> with_limits() {
  return std::make_unique<FakeDavAccount>(
      FakeDavServer::Ways{.keeps_connections = false, .tells_full_urls = true, .sync_limit = 2}, false);
}
std::unique_ptr<TestAccount> only_ctag() {
  return std::make_unique<FakeDavAccount>(FakeDavServer::Ways{.has_sync = false, .tells_etag_of_put = false, .writes_cr = false},
                                          false);
}
std::unique_ptr<TestAccount> bare() {
  return std::make_unique<FakeDavAccount>(
      FakeDavServer::Ways{.has_sync = false, .has_ctag = false, .has_multiget = false, .has_well_known = false}, true);
}

INSTANTIATE_TEST_SUITE_P(ModernDav, MailboxContract, testing::Values(&modern));
INSTANTIATE_TEST_SUITE_P(DavContacts, MailboxContract, testing::Values(&contacts));
INSTANTIATE_TEST_SUITE_P(DavWithLimits, MailboxContract, testing::Values(&with_limits));
INSTANTIATE_TEST_SUITE_P(DavWithCtags, MailboxContract, testing::Values(&only_ctag));
INSTANTIATE_TEST_SUITE_P(BareDav, MailboxContract, testing::Values(&bare));

// A real server, where the environment names one.
class PeerDavAccount final : public DavTestAccount {
 public:
  explicit PeerDavAccount(bool is_contacts) : DavTestAccount(is_contacts) { name_ = Id::random().text(); }
  std::unique_ptr<MailboxTarget> session() override { return open_at(*dialer_); }
  void remove(const Folder& folder, const std::string& id) override { dialer_->remove(folder.id + std::string(item_name(id))); }

 private:
  std::unique_ptr<DavDialer> dialer_ = DavDialer::from_environment();
};
std::unique_ptr<TestAccount> peer_calendar() { return std::make_unique<PeerDavAccount>(false); }
std::unique_ptr<TestAccount> peer_contacts() { return std::make_unique<PeerDavAccount>(true); }
std::vector<MakeAccount> peers() {
  if (std::getenv("MAILHOLD_DAV_PEER") == nullptr) return {};
  return {&peer_calendar, &peer_contacts};
}
INSTANTIATE_TEST_SUITE_P(DavPeer, MailboxContract, testing::ValuesIn(peers()));

class DavMailboxTest : public testing::Test {
 protected:
  FakeCollection& work() { return server.collections["/dav/cal/ann/work/"]; }
  const Folder folder{"/dav/cal/ann/work/", {std::string(calendars_name), "Work"}};
  // All changes since `mark`, which moves.
  Changes all_changes(std::string& mark, std::size_t limit = 100) {
    Changes all;
    for (bool more = true; more;) {
      auto step = mailbox->changes(folder, mark, limit, soon());
      if (!step) {
        ADD_FAILURE() << step.error().detail;
        return all;
      }
      all.items.insert(all.items.end(), step->items.begin(), step->items.end());
      all.gone.insert(all.gone.end(), step->gone.begin(), step->gone.end());
      all.present = step->present;
      mark = step->mark;
      more = step->more;
    }
    return all;
  }
  std::size_t asked(std::string_view method) const {
    return static_cast<std::size_t>(std::count_if(server.requests.begin(), server.requests.end(),
                                                  [&](const auto& each) { return each.starts_with(method); }));
  }
  FakeDavServer server;
  std::unique_ptr<DavMailbox> mailbox = open_at(server);
};

TEST_F(DavMailboxTest, finds_calendars_and_address_books_under_their_names) {
  work().name = "Work";
  server.collections["/dav/cal/ann/other/"].name = "Work";
  server.collections["/dav/cal/ann/a%20b/"].name = "";
  auto folders = mailbox->folders(soon());
  ASSERT_TRUE(folders);
  std::set<std::string> paths;
  for (const Folder& each : *folders) paths.insert(path_text(each.path));
  EXPECT_EQ(paths,
            (std::set<std::string>{"Calendars/Work (work)", "Calendars/Work (other)", "Calendars/a b", "Address books/Friends"}));
}

TEST_F(DavMailboxTest, a_sync_costs_one_question_where_nothing_changed) {
  for (int i = 0; i < 7; ++i) work().put("e" + std::to_string(i) + ".ics", event("e" + std::to_string(i)));
  std::string mark;
  EXPECT_EQ(all_changes(mark, 3).items.size(), 7U);
  server.requests.clear();
  const Changes none = all_changes(mark);
  EXPECT_TRUE(none.items.empty() && none.gone.empty() && !none.present);
  EXPECT_EQ(server.requests, std::vector<std::string>{"REPORT /dav/cal/ann/work/"});
  server.ways.has_sync = false;
  mailbox = open_at(server);
  mark.clear();
  EXPECT_EQ(all_changes(mark).items.size(), 7U);
  server.requests.clear();
  EXPECT_FALSE(all_changes(mark).present);
  EXPECT_EQ(asked("PROPFIND"), 1U);
}

TEST_F(DavMailboxTest, what_changes_while_the_listing_is_read_is_told_the_next_time) {
  for (const bool has_sync : {true, false}) {
    server.ways.has_sync = has_sync;
    for (const char* name : {"a.ics", "b.ics", "c.ics", "d.ics"}) work().put(name, event(name));
    std::string mark;
    auto step = mailbox->changes(folder, mark, 2, soon());
    ASSERT_TRUE(step && step->more);
    mark = step->mark;
    work().put("a.ics", event("changed"));  // behind the place where the listing is
    work().put("aa.ics", event("new"));
    // Between the state and the listing too, wherever a driver might ask for the one after the other.
    mailbox = open_at(server);
    std::size_t count = 0;
    server.before_answer = [&](const std::string& request) {
      if (request.starts_with("PROPFIND") && count++ == 0) work().put("bb.ics", event("later"));
    };
    (void)all_changes(mark, 100);
    server.before_answer = nullptr;
    const Changes next = all_changes(mark);
    std::set<std::string> names;
    for (const ItemHead& head : next.items) names.emplace(item_name(head.id));
    EXPECT_TRUE(names.contains("a.ics") && names.contains("aa.ics")) << has_sync;
  }
}

TEST_F(DavMailboxTest, the_state_is_of_before_the_listing) {
  for (const bool has_sync : {true, false}) {
    server.ways.has_sync = has_sync;
    work().put("a.ics", event("a"));
    std::string mark;
    // Whatever is written while any of the questions is answered is in what they tell, or is told the next time.
    std::size_t asked_so_far = 0;
    std::set<std::string> known;
    server.before_answer = [&](const std::string&) { work().put("n" + std::to_string(asked_so_far++) + ".ics", event("n")); };
    for (const ItemHead& head : all_changes(mark).items) known.emplace(item_name(head.id));
    server.before_answer = nullptr;
    for (const ItemHead& head : all_changes(mark).items) known.emplace(item_name(head.id));
    EXPECT_EQ(known.size(), work().items.size()) << has_sync;
    EXPECT_GE(asked_so_far, 2U);
  }
}

TEST_F(DavMailboxTest, a_token_that_the_server_forgot_brings_all_that_is_there) {
  work().put("a.ics", event("a"));
  work().put("b.ics", event("b"));
  std::string mark;
  (void)all_changes(mark);
  work().remove("a.ics");
  work().put("c.ics", event("c"));
  server.ways.oldest_token = 1000;
  const Changes changes = all_changes(mark);
  ASSERT_TRUE(changes.present);
  EXPECT_EQ(changes.present->size(), 2U);
  EXPECT_EQ(changes.items.size(), 2U);
}

TEST_F(DavMailboxTest, a_partial_answer_is_gone_on_with) {
  std::string mark;
  (void)all_changes(mark);
  server.ways.sync_limit = 3;
  for (int i = 0; i < 10; ++i) work().put("e" + std::to_string(i) + ".ics", event("e"));
  const Changes changes = all_changes(mark);
  EXPECT_EQ(changes.items.size(), 10U);
  EXPECT_FALSE(changes.present);
}

TEST_F(DavMailboxTest, what_was_listed_and_changed_before_it_was_read_is_left_out) {
  work().put("a.ics", event("a"));
  auto heads = mailbox->list(folder, soon());
  ASSERT_TRUE(heads && heads->size() == 1);
  work().put("a.ics", event("another"));
  for (const bool has_multiget : {true, false}) {
    server.ways.has_multiget = has_multiget;
    std::size_t given = 0;
    MailboxSource::Sink sink;
    sink.take = [&](const MailboxSource::Content&) -> Status { return ++given, done(); };
    ASSERT_TRUE(mailbox->fetch(folder, {heads->front().id}, sink, soon()));
    EXPECT_EQ(given, 0U) << "an id names one content for ever";
  }
}

TEST_F(DavMailboxTest, contents_come_in_few_questions_and_large_ones_alone) {
  for (int i = 0; i < 20; ++i) work().put("e" + std::to_string(10 + i) + ".ics", event("e"));
  work().put("large.ics", event(std::string(30'000, 'x')));
  work().put("huge.ics", event(std::string(90'000, 'x')));
  mailbox = open_at(server, {.item_bytes_max = 70'000, .contents_at_once = 8, .bytes_at_once = 20'000});
  auto heads = mailbox->list(folder, soon());
  ASSERT_TRUE(heads);
  std::vector<std::string> ids, too_large;
  for (const ItemHead& head : *heads) ids.push_back(head.id);
  server.requests.clear();
  std::map<std::string, std::string> given;
  MailboxSource::Sink sink;
  sink.take = [&](MailboxSource::Content content) -> Status {
    EXPECT_EQ(content.form, ContentForm::icalendar);
    given[std::string(item_name(content.id))] = content.bytes;
    return done();
  };
  sink.too_large = [&](const std::string& id, std::uint64_t) { too_large.push_back(id); };
  ASSERT_TRUE(mailbox->fetch(folder, ids, sink, soon()));
  EXPECT_EQ(given.size(), 21U);
  for (const auto& [name, content] : given) EXPECT_EQ(content, work().items[name].content);
  ASSERT_EQ(too_large.size(), 1U);
  EXPECT_EQ(item_name(too_large.front()), "huge.ics");
  EXPECT_EQ(asked("REPORT"), 3U);
  EXPECT_EQ(asked("GET"), 2U);
}

// A cap, a suspension, a secret that is gone: what says nothing of an item must not be put down to one.
TEST_F(DavMailboxTest, a_session_that_does_not_come_about_ends_the_reading) {
  server.ways.keeps_connections = false;
  for (int i = 0; i < 6; ++i) work().put("e" + std::to_string(i) + ".ics", event("e"));
  const auto heads = mailbox->list(folder, soon());
  ASSERT_TRUE(heads);
  std::vector<std::string> ids;
  for (const ItemHead& head : *heads) ids.push_back(head.id);
  for (const ErrorKind kind : {ErrorKind::limit_exceeded, ErrorKind::denied, ErrorKind::not_found}) {
    for (const bool has_multiget : {true, false}) {
      server.ways.has_multiget = has_multiget;
      std::size_t sessions_left = 100, given = 0, too_large = 0;
      const auto dial = [&](const Deadline& deadline) -> Result<std::unique_ptr<net::Stream>> {
        if (sessions_left-- == 0) return Error{kind, "no session", "no session"};
        ASSIGN_OR_RETURN(ipc::OwnedFd socket, server.open_http(Id(), Id(), "backup.read", deadline));
        return net::stream_over(socket.release());
      };
      const auto opened = DavMailbox::open(dial, {.contents_at_once = 2}, soon());
      ASSERT_TRUE(opened);
      sessions_left = 2;
      MailboxSource::Sink sink;
      sink.take = [&](const MailboxSource::Content&) -> Status { return ++given, done(); };
      sink.too_large = [&](const std::string&, std::uint64_t) { ++too_large; };
      const Status fetched = (*opened)->fetch(folder, ids, sink, soon());
      ASSERT_FALSE(fetched) << has_multiget;
      EXPECT_EQ(fetched.error().kind, kind);
      EXPECT_EQ(given, has_multiget ? 4U : 1U);
      EXPECT_EQ(too_large, 0U);
    }
  }
}

TEST_F(DavMailboxTest, never_writes_over_what_is_there) {
  work().put("a.ics", event("of today"));
  const auto added = mailbox->add(folder, item_of("a", false), soon());
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().kind, ErrorKind::denied);
  EXPECT_FALSE(added.error().for_peer.empty());
  EXPECT_EQ(work().items["a.ics"].content, event("of today"));
}

TEST_F(DavMailboxTest, a_session_that_was_closed_meanwhile_is_opened_again) {
  ASSERT_TRUE(mailbox->folders(soon()));
  server.ways.drop_after_requests = 0;
  EXPECT_TRUE(mailbox->list(folder, soon()));
  server.ways.drops_after_put = true;
  const auto added = mailbox->add(folder, item_of("n", false), soon());
  ASSERT_TRUE(added) << "it was taken the first time, which reading it back shows";
  EXPECT_EQ(work().items.size(), 1U);
}

TEST_F(DavMailboxTest, an_item_goes_only_where_items_of_its_kind_are) {
  const auto added = mailbox->add(folder, item_of("a", true), soon());
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().kind, ErrorKind::denied);
  const auto made = mailbox->make_folder({"Elsewhere", "Work"}, soon());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, ErrorKind::unsupported);
}

}  // namespace
}  // namespace mailhold::mailboxes
