// Whether keyd's keystore is the newest there is. The ledger has every event of it: one that the keystore knows nothing of was
// made by a newer keystore, of which this one is an older copy. apid looks after each unsealing, since keyd has no way to the
// ledger; until then keyd uses no secret of a connection. One thread at a time.
//
// Design: docs/formats/keystore.md, "An older copy"
#pragma once

#include "core/keys/key_client.h"
#include "core/ledger/ledger_client.h"
#include "platform/ipc/client.h"

namespace mailhold::apid {

class KeystoreCheck {
 public:
  KeystoreCheck(keys::KeyClient& keys, ipc::Client& ledgerd, ledger::EntryOpener& opener, ledger::LedgerClient& ledger)
      : keys_(keys), ledgerd_(ledgerd), opener_(opener), ledger_(ledger) {}

  // done: keyd is unsealed, and its events may go into the ledger: those of an older copy must not, or the newest keystore would
  // look like one. Such a copy is written down, and keyd sealed: denied. unavailable while keyd is sealed or the ledger is not
  // open; ask again.
  Status run(const Deadline& deadline);
  // The next older copy is used nevertheless, with an entry that says so.
  void accept_once() { accept_ = true; }

 private:
  Result<std::vector<std::string>> region_entries(std::uint64_t from, std::uint64_t limit, const Deadline& deadline);
  Result<std::uint64_t> count_region_entries(const Deadline& deadline);
  Result<Id> newest_key_event(const Deadline& deadline);

  keys::KeyClient& keys_;
  ipc::Client& ledgerd_;
  ledger::EntryOpener& opener_;
  ledger::LedgerClient& ledger_;
  bool accept_ = false;
};

}  // namespace mailhold::apid
