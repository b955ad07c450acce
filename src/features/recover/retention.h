// Retention: deletes what is over: versions of items that left their mailbox longer ago than the rules say, unless a hold covers
// them; then the wraps of contents that no version names any more, after which no copy of the packs opens them, even with the
// day's key; and mailboxes that were ordered to be removed. What lies in a damaged bundle with what is over is saved as far as it
// can be read; what can't be is named, and is lost, unless a hold covers it: then the bundle waits. Every step is durable by
// itself, and after a kill -9 the next run goes on where this one ended.
//
// Rules and holds come from brokerd, anew for every run: nothing is deleted without them. Any thread; one run at a time.
// Design: docs/flows/retention.md
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>

#include "core/access/keeping.h"
#include "core/store/message_store.h"
#include "features/recover/backup_book.h"

namespace mailhold::recover {

// brokerd in programs.
class BackupRules {
 public:
  virtual ~BackupRules() = default;
  virtual Result<access::Keeping> of(Id tenant, const Deadline& deadline) = 0;  // unavailable, corrupt
  // Into the ledger: what was done for a mailbox, in ids and counts. "mailbox.removed" ends the order to remove it.
  virtual Status report(Id tenant, Id mailbox, const std::string& type, const std::map<std::string, std::uint64_t>& counts,
                        const Deadline& deadline) = 0;
};

// When a version that ended will be deleted, and what stands against it.
struct Fate {
  std::optional<Milliseconds> ends_at;  // nothing: it is kept for ever
  const access::Hold* hold = nullptr;   // of the rules it was asked with
};
Fate fate_of(const access::Keeping& keeping, Id mailbox, const ItemRow& version);  // version.until is set

inline constexpr std::uint32_t report_days_default = 400;

struct Expired {
  std::uint64_t versions = 0;
  std::uint64_t contents = 0;  // that nothing can open any more
  std::uint64_t folders = 0;
  std::uint64_t mailboxes = 0;  // removed
  std::uint64_t reports = 0;    // of restores
  std::uint64_t lost = 0;       // contents that were found to be damaged beside what went
  std::uint64_t waiting = 0;    // contents that are over and cannot be taken out of their bundle now
};

// What would vanish if nothing else happened, and what a hold keeps from it.
struct Simulation {
  struct Amount {
    std::uint64_t versions = 0;
    std::uint64_t items = 0;  // of which nothing is left then
    std::uint64_t bytes = 0;  // of contents that nothing names then
  };
  struct Vanishing {
    std::uint32_t day = 0;  // since 1970, UTC; what is overdue stands under today
    Id mailbox;
    std::uint8_t type = 0;
    Amount amount;
  };
  struct Held {
    Id hold;
    std::string name;
    Id mailbox;
    std::uint8_t type = 0;
    Amount amount;  // that is over or will be by `through`, and stays
  };
  std::vector<Vanishing> vanishing;  // by day, mailbox and type
  std::vector<Held> held;
};

class Retention {
 public:
  struct Parts {  // all outlive it
    BackupBook& book;
    store::MessageStore& store;
    BackupRules& rules;
    store::StoreKeys& keys;
    const Clock& clock;
    // Whether nobody works on the mailbox now, nor will again: it is about to be removed.
    std::function<bool(Id mailbox)> let_go = [](Id) { return true; };
    // Before contents are released: their words leave the index. What it can't do yet is tried again with the next run.
    std::function<Status(Id tenant, const std::vector<Id>& contents, const Deadline&)> forget_words =
        [](Id, const auto&, const Deadline&) { return done(); };
    std::uint32_t report_days = report_days_default;  // how long reports of restores are kept, whatever they were of
  };
  explicit Retention(Parts parts) : parts_(std::move(parts)) {}

  // Everything that is over. What could not be done now (no rules, no keys) is left for the next run; an error says what.
  Result<Expired> run(const Deadline& deadline);

  // Of one tenant, through the day `through`. `keeping` are its rules, or others that somebody thinks of. limit_exceeded:
  // more than ten million versions that ended.
  Result<Simulation> simulate(Id tenant, const access::Keeping& keeping, std::uint32_t through, const Deadline& deadline);

 private:
  Status expire_versions(const Mailbox& mailbox, const access::Keeping& keeping, Expired& expired, const Deadline& deadline);
  Status expire_folder(const Mailbox& mailbox, const FolderRow& folder, const access::Keeping& keeping, Expired& expired,
                       const Deadline& deadline);
  Status remove_mailboxes(Id tenant, const std::vector<Mailbox>& mailboxes, const access::Keeping& keeping, Expired& expired,
                          const Deadline& deadline);
  Status remove_mailbox(const Mailbox& mailbox, const Deadline& deadline);
  Status forget_words(const BackupBook::Leaving& leaving, const Deadline& deadline);
  using Keepings = std::map<Id, access::Keeping>;  // of the tenants whose rules are known
  Status release(Id tenant, std::vector<Id>& unnamed, std::vector<Id>& looked_at, const Keepings& keepings, Expired& expired,
                 const Deadline& deadline);
  using Stays = std::map<Id, Error>;  // contents that cannot be taken out of their bundle, and why
  Result<Stays> release_from_damage(Id tenant, const std::vector<Id>& contents, const Keepings& keepings, Expired& expired,
                                    const Deadline& deadline);
  Result<bool> is_held(Id tenant, Id content, const access::Keeping& keeping, const Deadline& deadline);
  Status release_contents(const Keepings& keepings, Expired& expired, const Deadline& deadline);
  Status look_at_lost(const Deadline& deadline);
  Result<bool> can_be_read_again(const BackupBook::LostContent& lost, const Deadline& deadline);

  const Parts parts_;
  std::mutex running_;
  std::set<Id> waits_;       // contents that cannot be taken out of their bundle, as it was logged
  bool must_forget_ = true;  // rows were deleted whose bytes may still be in the files' log; also those of the last process
};

}  // namespace mailhold::recover
