// Calendars and contacts at a fake server, a store and a book in a fresh folder. For the tests of features/recover.
#pragma once

#include <atomic>

#include "fakes/dav_server.h"
#include "fakes/recover_fixture.h"
#include "features/mailboxes/dav/dav_mailbox.h"

namespace mailhold::recover {

// With an empty calendar and an empty address book.
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

class DavRecoverTest : public DavRecoverFixture {
 protected:
  void SetUp() override {
    DavRecoverFixture::SetUp();
    for (int i = 0; i < 9; ++i) work().put("e" + std::to_string(i) + ".ics", event("e" + std::to_string(i)));
    for (int i = 0; i < 4; ++i) friends().put("c" + std::to_string(i) + ".vcf", contact("c" + std::to_string(i)));
  }
};

// As much of a comparison as the fake server asks for; the real one is tested where it lives.
class ComparesWithoutProduct final : public MeaningComparer {
 public:
  Result<Meaning> compare(Id, mailboxes::ContentForm form, std::string_view backed_up, std::string_view there,
                          const Deadline&) override {
    EXPECT_NE(form, mailboxes::ContentForm::mime);
    if (is_away) return Error{ErrorKind::unavailable, "scannerd is away"};
    ++compared;
    const bool is_equal = without_product(backed_up) == without_product(there);
    return Meaning{is_equal, is_equal ? "" : "VEVENT.SUMMARY"};
  }
  std::atomic<std::size_t> compared = 0;
  bool is_away = false;

 private:
  static std::string without_product(std::string_view text) {
    std::string out(text);
    const std::size_t at = out.find("PRODID:");
    return at == std::string::npos ? out : out.erase(at, out.find("\r\n", at) + 2 - at);
  }
};

}  // namespace mailhold::recover
