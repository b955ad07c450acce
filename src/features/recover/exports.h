// Exports: carries out exports that two people allowed, and imports, each in a thread of its own until stop(). The command
// line opens the file and hands it over, so no readable byte is ever written by Mailhold to a place of its own choice.
// Jobs live in memory: one that the process did not outlive is begun again by whoever asked. Any thread.
#pragma once

#include <thread>

#include "features/recover/export.h"
#include "features/recover/import.h"

namespace mailhold::recover {

// What brokerd knows of an export: an operation that was signed for, named by its SHA-256 in hex.
class ExportPermits {
 public:
  struct Permit {
    Id tenant;
    ExportRequest request;
  };
  virtual ~ExportPermits() = default;
  // That it is used now stands in the ledger when this returns. not_found: no such operation, or its time is over.
  virtual Result<Permit> begin(const std::string& operation, const Deadline& deadline) = 0;
  // The receipt of the entry `export.made`.
  virtual Result<std::string> record(const std::string& operation, const ExportReport& report, const Deadline& deadline) = 0;
};

class Exports {
 public:
  struct Parts {  // all outlive it
    BackupBook& book;
    store::MessageStore& store;
    store::StoreKeys& keys;
    ExportPermits& permits;
    const Clock& clock;
  };
  static constexpr std::size_t jobs_max = 4;        // at a time
  static constexpr std::size_t jobs_kept_max = 64;  // whose outcome can still be asked for

  explicit Exports(Parts parts) : parts_(parts) {}
  ~Exports() { stop(); }
  void stop();

  struct View {
    bool over = false;
    ExportReport report;
    std::string failure;  // why it came to no end; empty: it did
  };
  // Writes the ZIP to the file from its beginning, durably. The job. limit_exceeded: too many at a time; denied: the mailbox
  // is another tenant's; else as ExportPermits::begin.
  Result<Id> write(const std::string& operation, ipc::OwnedFd file, const Deadline& deadline);
  Result<View> view(Id job);  // not_found

  // Takes frames from the channel (import.h) into the tenant's mailbox of that name, which is made if there is none, and
  // answers over it. Restores may go over `restore_connection`, if it is given. The mailbox. denied: it is backed up over a
  // connection.
  Result<Id> import(Id tenant, const std::string& name, Id restore_connection, ipc::OwnedFd channel, const Deadline& deadline);

 private:
  Result<Mailbox> mailbox_for(Id tenant, const std::string& name, Id restore_connection, const Deadline& deadline);
  Status make_room();  // for one more job; with mutex_ held
  void run_export(Id job, const std::string& operation, const ExportPermits::Permit& permit, ipc::OwnedFd file,
                  const std::stop_token& stop);
  void run_import(const Mailbox& mailbox, ipc::OwnedFd channel, const std::stop_token& stop);

  const Parts parts_;
  std::mutex mutex_;
  std::map<Id, View> jobs_;            // guarded by mutex_
  std::vector<Id> order_;              // guarded by mutex_; oldest first
  std::set<Id> importing_;             // guarded by mutex_; mailboxes
  std::size_t running_ = 0;            // guarded by mutex_
  std::vector<std::jthread> threads_;  // guarded by mutex_
  bool stopped_ = false;               // guarded by mutex_
};

}  // namespace mailhold::recover
