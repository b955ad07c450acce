// LedgerClient: appends to the region's ledger from any process that may. It writes the
// clear text, seals it for the tenant, and hands only the sealed form to ledgerd.
// EntryOpener: reads back what was sealed, with the help of whoever may open a tenant's boxes.
// Any thread.
//
// Design: docs/formats/ledger.md
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/secret_text.h"
#include "core/evidence/receipt.h"
#include "core/keys/key_types.h"

namespace mailhold::ledger {

// Carries one request to ledgerd and brings the answer: ipc::Client::call in programs, LedgerDoor::answer in tests.
using LedgerCall = std::function<Result<std::string>(std::uint16_t method, std::string_view body, const Deadline& deadline)>;
// keys::KeyClient::ledger_public_key and open_ledger_box. `context` is the encoded sealed::Context of the box.
using FindLedgerKey = std::function<Result<keys::LedgerPublicKey>(Id tenant, const Deadline& deadline)>;
using OpenLedgerBox = std::function<Result<SecretText>(Id tenant, std::uint32_t version, std::string_view box,
                                                       std::string_view context, const Deadline& deadline)>;

class LedgerClient {
 public:
  LedgerClient(LedgerCall call, FindLedgerKey find_key, std::string region, const Clock& clock = system_clock());

  // The entry is durable and its receipt signed when this returns a receipt. Otherwise it may or may not have
  // been written: unavailable (ledgerd away or failed), timed_out; not_found for an unknown tenant; invalid_input,
  // limit_exceeded as write_clear_text.
  Result<Receipt> append(const Entry& entry, const Deadline& deadline);

 private:
  struct HourKey {
    std::uint32_t hour = 0;
    std::uint32_t key_version = 0;
    Id id;
    SecretText key;
    std::string box;
  };
  Result<Payload> seal_for(const Entry& entry, std::string_view clear_text, const Hash& commitment, const Deadline& deadline);
  Status renew_hour_key(Id tenant, std::uint32_t hour, const Deadline& deadline);

  const LedgerCall call_;
  const FindLedgerKey find_key_;
  const std::string region_;
  const Clock& clock_;
  std::mutex mutex_;
  std::map<Id, HourKey> hour_keys_;  // guarded by mutex_; a tenant's newest
};

class EntryOpener {
 public:
  EntryOpener(OpenLedgerBox open_box, std::string region) : open_box_(std::move(open_box)), region_(std::move(region)) {}

  // The clear text of an entry of that tenant as it lies in the log. corrupt if it does not open, or is not what the commitment
  // is of; else as open_box.
  Result<std::string> open(std::string_view entry, Id tenant, const Deadline& deadline);

 private:
  const OpenLedgerBox open_box_;
  const std::string region_;
  std::mutex mutex_;
  std::map<Id, SecretText> hour_keys_;  // guarded by mutex_; by hour key id
};

}  // namespace mailhold::ledger
