// Indexing: gives the texts of what was backed up to search, mailbox by mailbox, as soon as a sync is over, until stop(). The
// index says how far it got; so nothing is kept here, and an index that was lost is made again. Texts are taken out of mail,
// events, tasks and contacts in scannerd's workers. Any thread.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "core/store/message_store.h"
#include "features/recover/backup_book.h"
#include "features/scanning/scanner_pool.h"
#include "features/search/search_service.h"

namespace mailhold::recover {

class Indexing {
 public:
  struct Parts {  // all outlive it
    BackupBook& book;
    store::MessageStore& store;
    scanning::ScannerPool& scanners;
    search::SearchClient& search;
  };
  explicit Indexing(Parts parts) : parts_(parts) {}
  ~Indexing() { stop(); }

  void start();
  void stop();
  // Whether everything that this mailbox's last sync saw can be found.
  bool is_current(const Mailbox& mailbox);

  // Takes in what is missing of one mailbox. An error left everything before it in the index.
  Status take_in(const Mailbox& mailbox, const Deadline& deadline);

 private:
  void work(const std::stop_token& stop);
  Result<search::Cursor> cursor_of(const Mailbox& mailbox, const Deadline& deadline);
  Result<std::optional<search::Document>> document_of(const ItemRow& item, const Mailbox& mailbox, const Deadline& deadline);
  Status send(const Mailbox& mailbox, const std::vector<ItemRow>& items, const Deadline& deadline);

  const Parts parts_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::map<Id, Milliseconds> taken_in_;                             // guarded by mutex_: up to which sync
  std::map<Id, std::chrono::steady_clock::time_point> not_before_;  // after a failure
  std::jthread thread_;
};

}  // namespace mailhold::recover
