// The verbs that apid answers itself about the region: key.*, backup.*, ledger.show and status. It also carries what happened
// to keys from keyd, which has no way to the ledger, into the ledger.
#pragma once

#include <mutex>
#include <string>

#include "core/api/api_server.h"
#include "core/keys/key_client.h"
#include "core/ledger/ledger_client.h"
#include "platform/ipc/client.h"
#include "programs/apid/keystore_check.h"

namespace mailhold::apid {

class RegionVerbs {
 public:
  struct Parts {
    std::shared_ptr<ipc::Client> keyd;
    std::shared_ptr<ipc::Client> ledgerd;
    std::shared_ptr<ipc::Client> supervisor;
    keys::KeyClient& keys;
    ledger::EntryOpener& opener;
    ledger::LedgerClient& ledger;
  };
  explicit RegionVerbs(Parts parts)
      : parts_(std::move(parts)), keystore_check_(parts_.keys, *parts_.ledgerd, parts_.opener, parts_.ledger) {}

  // key.status|initialise|unseal|add-seal|remove-seal|drill|rotate|accept-older-copy. Secrets come as a descriptor that only keyd
  // reads, and shares go back by one that only keyd writes.
  Result<std::string> key(const std::string& verb, api::Request& request, const Deadline& deadline);
  // {tenant, from?, limit?}: ledgerd's entries with the clear text that the tenant's boxes give.
  Result<std::string> show_ledger(const std::string& json, const Deadline& deadline);
  Result<std::string> status(const Deadline& deadline);
  // message.shred|shred-day: into the ledger before the store forgets.
  Status record_shred(const std::string& verb, const std::string& json, const Deadline& deadline);
  // {manifest, files, bytes}: a copy of all data was made; {backups}: keys of so many were deleted. Written into the ledger.
  Result<std::string> backup(const std::string& json, const Deadline& deadline);

  // First that the keystore is no older copy. Then each event of keyd's is in the ledger before keyd forgets it; after a crash in
  // between it is there twice, with one id.
  Status carry_events(const Deadline& deadline);

 private:
  Result<std::string> ceremony(const std::string& verb, api::Request& request, const Deadline& deadline);
  Result<std::string> rotate(const std::string& json, const Deadline& deadline);
  Result<std::string> key_status(const Deadline& deadline);
  std::mutex carrying_;
  const Parts parts_;
  KeystoreCheck keystore_check_;  // guarded by carrying_
};

}  // namespace mailhold::apid
