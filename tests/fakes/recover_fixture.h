// A fake IMAP server, a store and a book in a fresh folder. For the tests of features/recover.
#pragma once

#include "core/store/store_fixture.h"
#include "fakes/imap_server.h"
#include "features/mailboxes/imap/imap_mailbox.h"
#include "features/recover/mailbox_sync.h"
#include "features/recover/restore.h"

namespace mailhold::recover {

class RecoverFixture : public store::StoreFixture {
 protected:
  static constexpr Milliseconds hour = 3'600'000;

  RecoverFixture() {
    mailbox.id = Id::random();
    mailbox.tenant = tenant;
    mailbox.name = "ann@example.test";
    mailbox.connection = Id::random();
    settings.notes_uses = true;
    settings.bundle_messages_max = 32;
    settings.compression = store::Compression::thorough;
  }
  void SetUp() override {
    address = "sqlite:" + (settings.folder / "backup.db").string();
    open_all();
    ASSERT_TRUE(book->put_mailbox(mailbox, soon()));
  }
  // As after a start of the program.
  void open_all() {
    book.reset();
    open();
    book = *BackupBook::open(*records, "test", keys, soon());
  }
  virtual std::unique_ptr<mailboxes::MailboxTarget> session(bool writes) {
    auto socket = server.open(tenant, mailbox.connection, writes ? "restore.write" : "backup.read", soon());
    if (!socket) return nullptr;
    auto opened = mailboxes::ImapMailbox::open(net::stream_over(socket->release()), writes, session_settings, soon());
    if (!opened) return nullptr;
    return std::move(*opened);
  }
  std::unique_ptr<mailboxes::ImapMailbox> proof_session() {
    auto socket = server.open(tenant, mailbox.connection, "backup.prove", soon());
    if (!socket) return nullptr;
    auto opened = mailboxes::ImapMailbox::open(net::stream_over(socket->release()), true, session_settings, soon());
    return opened ? std::move(*opened) : nullptr;
  }
  // Moves the clock by an hour, so that every sync has a moment of its own.
  Status sync() {
    now += hour;
    const auto source = session(false);
    if (source == nullptr) return Error{ErrorKind::unavailable, "no session"};
    MailboxSync run({*book, *store, keys, *source, open_second, nullptr, nullptr, scratch}, mailbox, now, sync_settings, {});
    const Status status = run.run(soon());
    progress = run.progress();
    return status;
  }
  Result<RestoreReport> restore(RestoreRequest request = {}) {
    request.mailbox = mailbox.id;
    if (request.as_of == 0) request.as_of = now;
    RestoreReport report;
    report.request = request;
    Restore restoring(restore_parts());
    RETURN_IF_ERROR(restoring.run(report, {}, soon()));
    report.is_over = true;
    return report;
  }
  Restore::Parts restore_parts() {
    return {*book,
            *store,
            [this](const Deadline&) -> Result<std::unique_ptr<mailboxes::MailboxTarget>> {
              auto target = session(true);
              if (target == nullptr) return Error{ErrorKind::unavailable, "no session"};
              return std::unique_ptr<mailboxes::MailboxTarget>(std::move(target));
            },
            meaning,
            std::make_shared<RestoreMemory>(),
            nullptr,
            read_back_items};
  }

  // Folder -> contents with their flags, as the backup has them at a moment.
  using Picture = std::map<std::string, std::multiset<std::pair<std::string, std::vector<std::string>>>>;
  Picture backed_up(Milliseconds moment) {
    Picture picture;
    auto folders = book->folders_as_of(mailbox, moment, soon());
    EXPECT_TRUE(folders);
    for (const FolderRow& folder : *folders) {
      auto& contents = picture[mailboxes::path_text(folder.folder.path)];
      auto items = book->items_as_of(folder, moment, soon());
      EXPECT_TRUE(items);
      for (const ItemRow& item : *items) {
        auto content = store->retrieve(tenant, item.message, soon());
        contents.emplace(content ? *content : "unreadable", item.head.flags);
      }
    }
    return picture;
  }
  Picture at_server() {
    const std::lock_guard lock(server.mutex);
    Picture picture;
    for (const auto& [name, folder] : server.folders) {
      auto& contents = picture[name];
      for (const FakeMessage& message : folder.messages)
        contents.emplace(message.content, std::vector<std::string>(message.flags.begin(), message.flags.end()));
    }
    return picture;
  }
  static std::string letter(const std::string& subject, std::size_t attachment_bytes = 0) {
    std::string text = "Subject: " + subject + "\r\nFrom: bob@b.example\r\n\r\nHello\r\n";
    if (attachment_bytes > 0) text += base64_body(random_bytes(attachment_bytes));
    return text;
  }
  void fill(std::size_t inbox = 12, std::size_t archive = 5) {
    for (std::size_t i = 0; i < inbox; ++i)
      server.folders["INBOX"].add(letter("in " + std::to_string(i), i % 3 == 0 ? 2000 : 0), {"\\Seen"});
    for (std::size_t i = 0; i < archive; ++i) server.folders["Archive/2026"].add(letter("old " + std::to_string(i)), {});
  }

  Mailbox mailbox;
  MeaningComparer* meaning = nullptr;
  FakeImapServer server;
  std::unique_ptr<BackupBook> book;
  mailboxes::ImapSessionSettings session_settings;
  SyncSettings sync_settings{.step_items = 4, .rows_at_once = 2, .batch_bytes = 8000, .single_tries_max = 50};
  decltype(MailboxSync::Parts::open_second) open_second = {};
  Id scratch;  // that a proof left
  std::size_t read_back_items = 100;
  SyncProgress progress;
  Milliseconds now = on_day(store::first_day);
};

}  // namespace mailhold::recover
