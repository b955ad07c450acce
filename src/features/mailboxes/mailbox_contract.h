// What every mailbox must do. An implementation's test instantiates it with a way to an empty account:
//   INSTANTIATE_TEST_SUITE_P(Imap, MailboxContract, testing::Values(&make_imap_account));
#pragma once

#include <gtest/gtest.h>

#include "features/mailboxes/mailbox.h"

namespace mailhold::mailboxes {

// An account of its own at some server. All sessions are with the same account.
class TestAccount {
 public:
  virtual ~TestAccount() = default;
  virtual std::unique_ptr<MailboxTarget> session() = 0;
  // What no target can do: take an item away behind the source's back.
  virtual void remove(const Folder& folder, const std::string& id) = 0;
  // An item that is unlike all of other subjects.
  virtual Item item(const std::string& subject, std::vector<std::string> flags = {}) const {
    Item letter;
    letter.head.received_at = 837'596'665'000;  // 17-Jul-1996 02:44:25 -0700
    letter.head.zone_minutes = -420;
    letter.head.flags = std::move(flags);
    letter.content = "Subject: " + subject + "\r\nMIME-Version: 1.0\r\n\r\n* 1 FETCH (UID 1)\r\n.\r\n\r\nhello {3}\r\n";
    return letter;
  }
  // What not every protocol has.
  virtual bool has_flags_and_dates() const { return true; }
  virtual bool has_names() const { return false; }  // under which contents change
  virtual bool has_inbox() const { return true; }
  virtual bool tells_counts() const { return true; }
  // The folder that the tests work in; it does not exist yet.
  virtual FolderPath folder() const { return {"Contract", "Entwürfe & mehr"}; }
};

using MakeAccount = std::unique_ptr<TestAccount> (*)();

class MailboxContract : public testing::TestWithParam<MakeAccount> {
 protected:
  void SetUp() override {
    account = GetParam()();
    ASSERT_NE(account, nullptr);
    session = account->session();
    ASSERT_NE(session, nullptr);
    auto made = session->make_folder(account->folder(), soon());
    ASSERT_TRUE(made) << made.error().detail;
    folder = *made;
  }
  static Deadline soon() { return Deadline::after(std::chrono::seconds(60)); }
  Item letter(const std::string& subject, std::vector<std::string> flags = {}) const {
    return account->item(subject, std::move(flags));
  }
  // All changes since `mark`, which moves.
  Changes all_changes(MailboxSource& source, std::string& mark, std::size_t limit = 100) {
    Changes all;
    for (int steps = 0; steps < 1000; ++steps) {
      auto step = source.changes(folder, mark, limit, soon());
      if (!step) {
        ADD_FAILURE() << step.error().detail;
        return all;
      }
      all.items.insert(all.items.end(), step->items.begin(), step->items.end());
      all.gone.insert(all.gone.end(), step->gone.begin(), step->gone.end());
      all.present = step->present;
      all.count = step->count;
      mark = step->mark;
      if (!step->more) return all;
    }
    ADD_FAILURE() << "no end";
    return all;
  }
  std::map<std::string, std::string> contents(MailboxSource& source, const std::vector<std::string>& ids) {
    std::map<std::string, std::string> found;
    MailboxSource::Sink sink;
    sink.take = [&](MailboxSource::Content content) -> Status {
      found[content.id] = content.bytes;
      return done();
    };
    EXPECT_TRUE(source.fetch(folder, ids, sink, soon()));
    return found;
  }

  std::unique_ptr<TestAccount> account;
  std::unique_ptr<MailboxTarget> session;
  Folder folder;
};

}  // namespace mailhold::mailboxes
