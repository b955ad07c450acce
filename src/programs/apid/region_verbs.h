// The verbs that apid answers itself about the region: key.*, ledger.show and status.
#pragma once

#include <string>

#include "core/api/api_server.h"
#include "core/keys/key_client.h"
#include "core/ledger/ledger_client.h"
#include "platform/ipc/client.h"

namespace mailhold::apid {

class RegionVerbs {
 public:
  struct Parts {
    std::shared_ptr<ipc::Client> keyd;
    std::shared_ptr<ipc::Client> ledgerd;
    std::shared_ptr<ipc::Client> supervisor;
    keys::KeyClient& keys;
    ledger::EntryOpener& opener;
  };
  explicit RegionVerbs(Parts parts) : parts_(std::move(parts)) {}

  // key.status, key.initialise, key.unseal: the passphrase comes as a descriptor that only keyd reads.
  Result<std::string> key(const std::string& verb, api::Request& request, const Deadline& deadline);
  // {tenant, from?, limit?}: ledgerd's entries with the clear text that the tenant's boxes give.
  Result<std::string> show_ledger(const std::string& json, const Deadline& deadline);
  Result<std::string> status(const Deadline& deadline);

 private:
  const Parts parts_;
};

}  // namespace mailhold::apid
