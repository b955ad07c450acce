#include "features/mailboxes/mailbox_contract.h"

#include "fakes/imap_dialer.h"
#include "fakes/imap_server.h"
#include "features/mailboxes/imap/imap_mailbox.h"
#include "formats/imap/folder_name.h"

namespace mailhold::mailboxes {
namespace {

TEST_P(MailboxContract, a_folder_that_was_made_is_listed_and_made_again_without_harm) {
  auto again = session->make_folder(account->folder(), soon());
  ASSERT_TRUE(again) << again.error().detail;
  EXPECT_EQ(again->id, folder.id);
  auto folders = session->folders(soon());
  ASSERT_TRUE(folders);
  EXPECT_EQ(std::count_if(folders->begin(), folders->end(), [&](const Folder& each) { return each.path == account->folder(); }),
            1);
  EXPECT_EQ(std::any_of(folders->begin(), folders->end(), [](const Folder& each) { return each.use == SpecialUse::inbox; }),
            account->has_inbox());
}

TEST_P(MailboxContract, an_item_comes_back_with_its_bytes_date_zone_and_flags) {
  const Item item = letter("all of it", {"$Forwarded", "\\Answered", "\\Seen"});
  ASSERT_TRUE(session->add(folder, item, soon()));
  auto reader = account->session();
  auto heads = reader->list(folder, soon());
  ASSERT_TRUE(heads);
  ASSERT_EQ(heads->size(), 1U);
  EXPECT_EQ(heads->front().received_at, account->has_flags_and_dates() ? item.head.received_at : 0);
  EXPECT_EQ(heads->front().flags, account->has_flags_and_dates() ? item.head.flags : std::vector<std::string>());
  EXPECT_EQ(contents(*reader, {heads->front().id})[heads->front().id], item.content);
}

TEST_P(MailboxContract, many_are_added_in_their_order_and_each_has_its_answer) {
  constexpr std::size_t count = 40;
  std::vector<Item> items;
  for (std::size_t i = 0; i < count; ++i) {
    items.push_back(letter("many " + std::to_string(i)));
    if (i % 10 == 0 && account->has_flags_and_dates()) items.back().content += std::string(200'000, 'x') + "\r\n";
  }
  std::size_t given = 0;
  std::vector<std::string> ids;
  MailboxTarget::Additions additions;
  additions.next = [&]() -> Result<std::optional<Item>> {
    return given == count ? std::optional<Item>() : std::optional<Item>(items[given++]);
  };
  additions.added = [&](const Result<std::string>& id) -> Status {
    EXPECT_TRUE(id);
    ids.push_back(id ? *id : "");
    return done();
  };
  ASSERT_TRUE(session->add_all(folder, additions, soon()));
  ASSERT_EQ(ids.size(), count);
  auto reader = account->session();
  const auto heads = reader->list(folder, soon());
  ASSERT_TRUE(heads);
  ASSERT_EQ(heads->size(), count);
  std::multiset<std::string> wanted, there;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& id = (*heads)[i].id;
    const std::string content = contents(*reader, {id})[id];
    wanted.insert(items[i].content);
    there.insert(content);
    if (!account->has_flags_and_dates()) continue;  // a DAV server lists in any order
    if (!ids[i].empty()) EXPECT_EQ(ids[i], id);
    EXPECT_EQ(content, items[i].content) << i;
  }
  EXPECT_EQ(there, wanted);
}

TEST_P(MailboxContract, changes_tell_each_item_once_and_then_only_what_is_new) {
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(session->add(folder, letter("n" + std::to_string(i)), soon()));
  auto reader = account->session();
  std::string mark;
  EXPECT_EQ(all_changes(*reader, mark, 3).items.size(), 7U);
  EXPECT_EQ(mark.empty(), false);
  ASSERT_TRUE(session->add(folder, letter("new"), soon()));
  Changes changes = all_changes(*reader, mark, 3);
  std::set<std::string> ids;
  for (const ItemHead& head : changes.items) ids.insert(head.id);
  EXPECT_EQ(ids.size(), changes.items.size());
  EXPECT_GE(ids.size(), 1U);
  if (account->tells_counts()) EXPECT_EQ(changes.count, 8U);
}

TEST_P(MailboxContract, a_change_of_flags_is_told) {
  ASSERT_TRUE(session->add(folder, letter("a"), soon()));
  ASSERT_TRUE(session->add(folder, letter("b"), soon()));
  auto reader = account->session();
  std::string mark;
  const Changes first = all_changes(*reader, mark);
  ASSERT_EQ(first.items.size(), 2U);
  const Status set = session->set_flags(folder, first.items[0].id, {"\\Flagged", "\\Seen"}, soon());
  if (!account->has_flags_and_dates()) {
    ASSERT_FALSE(set);
    EXPECT_EQ(set.error().kind, ErrorKind::unsupported);
    return;
  }
  ASSERT_TRUE(set);
  reader = account->session();
  const Changes changes = all_changes(*reader, mark);
  const auto found = std::find_if(changes.items.begin(), changes.items.end(),
                                  [&](const ItemHead& head) { return head.id == first.items[0].id; });
  ASSERT_NE(found, changes.items.end());
  EXPECT_EQ(found->flags, (std::vector<std::string>{"\\Flagged", "\\Seen"}));
}

TEST_P(MailboxContract, a_version_is_replaced_where_it_is_the_one_that_is_there) {
  ASSERT_TRUE(session->add(folder, letter("one"), soon()));
  const auto heads = session->list(folder, soon());
  ASSERT_TRUE(heads && heads->size() == 1);
  const std::string& seen = heads->front().id;
  // The same event or contact, by its UID: servers take no other one under a name.
  const auto changed = [this](const std::string& how) {
    Item item = letter("one");
    if (const std::size_t at = item.content.find("<&>"); at != std::string::npos) item.content.replace(at, 3, how);
    return item;
  };
  const Item two = changed("two");
  const auto replaced = session->replace(folder, seen, two, soon());
  if (!account->has_names()) {
    ASSERT_FALSE(replaced);
    EXPECT_EQ(replaced.error().kind, ErrorKind::unsupported);
    return;
  }
  ASSERT_TRUE(replaced) << replaced.error().detail;
  auto reader = account->session();
  const auto now = reader->list(folder, soon());
  ASSERT_TRUE(now);
  ASSERT_EQ(now->size(), 1U) << "under the same name";
  EXPECT_EQ(item_name(now->front().id), item_name(seen));
  EXPECT_NE(now->front().id, seen);
  if (!replaced->empty()) EXPECT_EQ(*replaced, now->front().id);
  EXPECT_EQ(contents(*reader, {now->front().id})[now->front().id], two.content);
  // The version that was seen is no longer there: nothing changes, whoever wrote the one that is.
  for (const std::string& id : {seen, std::string(item_name(seen)) + "\n", std::string(item_name(seen)) + "\n*"}) {
    const auto again = session->replace(folder, id, changed("three"), soon());
    ASSERT_FALSE(again) << id;
    EXPECT_EQ(again.error().kind, ErrorKind::denied);
    EXPECT_FALSE(again.error().for_peer.empty());
  }
  reader = account->session();
  EXPECT_EQ(contents(*reader, {now->front().id})[now->front().id], two.content);
  // What went meanwhile is not made again.
  account->remove(folder, now->front().id);
  EXPECT_FALSE(account->session()->replace(folder, now->front().id, two, soon()));
  EXPECT_TRUE(account->session()->list(folder, soon())->empty());
}

TEST_P(MailboxContract, what_left_the_folder_is_told) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(session->add(folder, letter("n" + std::to_string(i)), soon()));
  auto reader = account->session();
  std::string mark;
  const Changes first = all_changes(*reader, mark, 2);
  ASSERT_EQ(first.items.size(), 5U);
  account->remove(folder, first.items[1].id);
  ASSERT_TRUE(session->add(folder, letter("meanwhile"), soon()));
  reader = account->session();
  const Changes changes = all_changes(*reader, mark, 2);
  const std::string& id = first.items[1].id;
  const std::string any_version = std::string(item_name(id)) + "\n";
  if (changes.present)
    EXPECT_EQ(std::count(changes.present->begin(), changes.present->end(), id), 0);
  else
    EXPECT_EQ(std::count_if(changes.gone.begin(), changes.gone.end(),
                            [&](const auto& each) { return each == id || each == any_version; }),
              1);
  if (account->tells_counts()) EXPECT_EQ(changes.count, 5U);
}

TEST_P(MailboxContract, a_foreign_mark_is_as_none) {
  ASSERT_TRUE(session->add(folder, letter("a"), soon()));
  std::string mark = "a mark of something else";
  const Changes changes = all_changes(*session, mark);
  EXPECT_EQ(changes.items.size(), 1U);
  ASSERT_TRUE(changes.present);
  EXPECT_EQ(changes.present->size(), 1U);
}

TEST_P(MailboxContract, what_is_not_there_is_left_out) {
  ASSERT_TRUE(session->add(folder, letter("a"), soon()));
  auto heads = session->list(folder, soon());
  ASSERT_TRUE(heads);
  EXPECT_EQ(contents(*session, {"1.1", "nonsense", heads->front().id, "999999.4000000000"}).size(), 1U);
}

TEST_P(MailboxContract, a_folder_that_is_gone_is_not_found) {
  const Folder gone{"Nowhere", {"Nowhere"}};
  auto changes = session->changes(gone, "", 10, soon());
  ASSERT_FALSE(changes);
  EXPECT_TRUE(changes.error().kind == ErrorKind::not_found || changes.error().kind == ErrorKind::denied)
      << changes.error().detail;
}

TEST_P(MailboxContract, a_watch_tells_that_something_came_or_says_that_there_is_none) {
  auto watcher = account->session();
  auto watch = watcher->watch(soon());
  if (!watch) {
    EXPECT_EQ(watch.error().kind, ErrorKind::unsupported) << watch.error().detail;
    return;
  }
  ASSERT_TRUE((*watch)->look());
  EXPECT_GT((*watch)->look_by(), std::chrono::steady_clock::now());
  auto folders = session->folders(soon());
  ASSERT_TRUE(folders);
  const auto inbox =
      std::find_if(folders->begin(), folders->end(), [](const Folder& each) { return each.use == SpecialUse::inbox; });
  ASSERT_NE(inbox, folders->end());
  ASSERT_TRUE(session->add(*inbox, letter("it came"), soon()));
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(40);
  while (std::chrono::steady_clock::now() < give_up) {
    const auto changed = (*watch)->look();
    ASSERT_TRUE(changed) << changed.error().detail;
    if (*changed) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  FAIL() << "nothing was told";
}

// The fake server, with and without what good servers have.
class FakeAccount final : public TestAccount {
 public:
  explicit FakeAccount(std::string capabilities) : server(std::move(capabilities)) {}
  std::unique_ptr<MailboxTarget> session() override {
    auto socket = server.open(Id(), Id(), "restore.write", Deadline::after(std::chrono::seconds(10)));
    auto opened = ImapMailbox::open(net::stream_over(socket->release()), true, {}, Deadline::after(std::chrono::seconds(10)));
    EXPECT_TRUE(opened);
    return std::move(*opened);
  }
  void remove(const Folder& folder, const std::string& id) override {
    const std::lock_guard lock(server.mutex);
    FakeFolder& there = server.folders[folder.id];
    for (std::size_t i = 0; i < there.messages.size(); ++i) {
      if (item_id(there.uid_validity, there.messages[i].uid) == id) return there.remove(i);
    }
    FAIL();
  }
  FakeImapServer server;
};
std::unique_ptr<TestAccount> modern() {
  return std::make_unique<FakeAccount>(
      "IMAP4rev1 ENABLE UIDPLUS LITERAL+ MULTIAPPEND CONDSTORE QRESYNC SPECIAL-USE LIST-EXTENDED IDLE");
}
std::unique_ptr<TestAccount> one_by_one() {
  return std::make_unique<FakeAccount>("IMAP4rev1 ENABLE UIDPLUS LITERAL+ CONDSTORE QRESYNC SPECIAL-USE LIST-EXTENDED");
}
std::unique_ptr<TestAccount> without_ids() { return std::make_unique<FakeAccount>("IMAP4rev1 LITERAL+ MULTIAPPEND"); }
std::unique_ptr<TestAccount> condstore() { return std::make_unique<FakeAccount>("IMAP4rev1 ENABLE CONDSTORE LITERAL-"); }
std::unique_ptr<TestAccount> utf8() { return std::make_unique<FakeAccount>("IMAP4rev1 ENABLE CONDSTORE LITERAL+ UTF8=ACCEPT"); }
std::unique_ptr<TestAccount> plain() { return std::make_unique<FakeAccount>("IMAP4rev1"); }

// A real server, where the environment names one.
class PeerAccount final : public TestAccount {
 public:
  explicit PeerAccount(std::unique_ptr<ImapDialer> dialer) : dialer_(std::move(dialer)) {}
  std::unique_ptr<MailboxTarget> session() override {
    auto socket = dialer_->open(Id(), Id(), "restore.write", Deadline::after(std::chrono::seconds(10)));
    EXPECT_TRUE(socket);
    auto opened = ImapMailbox::open(net::stream_over(socket->release()), true, {}, Deadline::after(std::chrono::seconds(10)));
    EXPECT_TRUE(opened);
    return std::move(*opened);
  }
  void remove(const Folder& folder, const std::string& id) override {
    const Deadline deadline = Deadline::after(std::chrono::seconds(10));
    auto socket = dialer_->open(Id(), Id(), "", deadline);
    auto session = ImapSession::start(net::stream_over(socket->release()), {}, deadline);
    const auto ignore = [](imap::Response&) { return done(); };
    const std::string uid = id.substr(id.find('.') + 1);
    ASSERT_TRUE((*session)->run("SELECT " + *imap::quoted_string(folder.id), ignore, deadline));
    ASSERT_TRUE((*session)->run("UID STORE " + uid + " +FLAGS.SILENT (\\Deleted)", ignore, deadline));
    ASSERT_TRUE((*session)->run("UID EXPUNGE " + uid, ignore, deadline));
  }
  FolderPath folder() const override { return {"Contract", "Entwürfe & mehr", name_}; }

 private:
  const std::string name_ = Id::random().text();
  std::unique_ptr<ImapDialer> dialer_;
};
std::unique_ptr<TestAccount> peer() { return std::make_unique<PeerAccount>(ImapDialer::from_environment()); }

INSTANTIATE_TEST_SUITE_P(ModernImap, MailboxContract, testing::Values(&modern));
INSTANTIATE_TEST_SUITE_P(OneByOne, MailboxContract, testing::Values(&one_by_one));
INSTANTIATE_TEST_SUITE_P(WithoutIds, MailboxContract, testing::Values(&without_ids));
INSTANTIATE_TEST_SUITE_P(Condstore, MailboxContract, testing::Values(&condstore));
INSTANTIATE_TEST_SUITE_P(Utf8Imap, MailboxContract, testing::Values(&utf8));
INSTANTIATE_TEST_SUITE_P(PlainImap, MailboxContract, testing::Values(&plain));
// There where a scenario runs it beside a real server.
INSTANTIATE_TEST_SUITE_P(Peer, MailboxContract,
                         testing::ValuesIn(std::vector<MakeAccount>(std::getenv("MAILHOLD_IMAP_PEER") != nullptr ? 1 : 0,
                                                                    &peer)));

TEST(FolderPath, is_shown_and_read_again) {
  for (const FolderPath& path : {FolderPath{"INBOX"}, FolderPath{"a/b", "c\\d", "e"}, FolderPath{}})
    EXPECT_EQ(parse_path(path_text(path)), path);
}

}  // namespace
}  // namespace mailhold::mailboxes
