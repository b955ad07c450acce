// Import: messages from files, as the command line hands them over a channel, into a mailbox of their own that no connection
// belongs to. They are kept like any other backup: sealed, once for a tenant, seen as of any moment, restorable.
// Importing the same files again adds nothing; what was durable when an import was broken off stays.
//
// Design: docs/formats/export.md, "Import"
#pragma once

#include "core/store/message_store.h"
#include "features/recover/backup_book.h"
#include "features/recover/content_keeper.h"
#include "features/recover/import_frames.h"
#include "platform/ipc/channel.h"

namespace mailhold::recover {

class Import {
 public:
  struct Parts {  // all outlive it
    BackupBook& book;
    store::MessageStore& store;
    store::StoreKeys& keys;
  };
  // `moment` is when it began, and what stands in its rows.
  Import(Parts parts, Mailbox mailbox, Milliseconds moment)
      : parts_(parts),
        mailbox_(std::move(mailbox)),
        moment_(moment),
        keeper_(parts.store, parts.keys, parts.book, mailbox_.tenant, moment) {}

  // One frame. True with the last one: everything is durable then. invalid_input: a frame out of order or past its limits.
  Result<bool> take(std::string_view frame, const Deadline& deadline);
  // Frames until the last one.
  Result<ImportReport> run(ipc::Channel& channel, const Deadline& deadline);

 private:
  Status open_folder(const mailboxes::FolderPath& path, const Deadline& deadline);
  Status take_message(const ImportFrame& frame, const Deadline& deadline);
  Status keep_batch(const Deadline& deadline);

  Parts parts_;
  const Mailbox mailbox_;
  const Milliseconds moment_;
  ContentKeeper keeper_;
  FolderRow folder_;
  std::set<std::string> known_;                              // source ids in the folder
  std::map<Id, std::map<std::string, std::uint64_t>> seen_;  // how often each content came, by folder
  std::vector<mailboxes::MailboxSource::Content> batch_;
  std::vector<mailboxes::ItemHead> heads_;  // of the batch
  std::uint64_t batch_bytes_ = 0;
  std::uint64_t messages_ = 0;
  ImportReport report_;
};

}  // namespace mailhold::recover
