// A fake CalDAV and CardDAV server with an empty calendar and an empty address book, a store and a book. For the tests of
// features/recover.
#pragma once

#include "fakes/dav_server.h"
#include "fakes/recover_fixture.h"
#include "features/mailboxes/dav/dav_mailbox.h"

namespace mailhold::recover {

class DavRecoverFixture : public RecoverFixture {
 protected:
  std::unique_ptr<mailboxes::MailboxTarget> session(bool writes) override {
    const auto dial = [this, writes](const Deadline& deadline) -> Result<std::unique_ptr<net::Stream>> {
      ASSIGN_OR_RETURN(ipc::OwnedFd socket,
                       dav.open_http(tenant, mailbox.connection, writes ? "restore.write" : "backup.read", deadline));
      return net::stream_over(socket.release());
    };
    auto opened =
        mailboxes::DavMailbox::open(dial, {.hear_rest = [this](std::chrono::seconds wanted) { rest = wanted; }}, soon());
    if (!opened) return nullptr;
    return std::move(*opened);
  }
  static std::string event(const std::string& subject) {
    return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:" + subject + "\r\nRRULE:FREQ=WEEKLY\r\nSUMMARY:" + subject +
           " ä\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
  }
  static std::string contact(const std::string& name) {
    return "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:" + name + "\r\nFN:" + name + "\r\nEND:VCARD\r\n";
  }
  FakeCollection& work() { return dav.collections["/dav/cal/ann/work/"]; }
  FakeCollection& friends() { return dav.collections["/dav/card/ann/friends/"]; }
  Picture there() const {
    Picture picture;
    for (const auto& [path, collection] : dav.collections) {
      auto& contents = picture[std::string(collection.is_calendar ? "Calendars/" : "Address books/") + collection.name];
      for (const auto& [name, item] : collection.items) contents.emplace(item.content, std::vector<std::string>());
    }
    return picture;
  }
  FakeDavServer dav;
  std::chrono::seconds rest{0};  // that the server asked for
};

}  // namespace mailhold::recover
