// keyd in the same process, for tests of rooms that need keys: a region with a fresh keystore, unsealed, and KeyClients
// that speak with the voice of any role. Link core_keys; the directory must exist and be the test's own.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/keys/key_client.h"
#include "core/keys/key_door.h"
#include "core/keys/key_service.h"

namespace mailhold {

class InProcessKeys {
 public:
  static constexpr const char* passphrase = "correct horse battery";
  static constexpr const char* region = "test";

  explicit InProcessKeys(const std::filesystem::path& directory, keys::ReceiptVerifier verifier = {},
                         const Clock& clock = system_clock(), std::uint32_t rewrap_rows = 4096)
      : service({directory / "keystore.db", region, {.memory_bytes = 64 << 10, .passes = 1}, {}, rewrap_rows},
                std::move(verifier), clock),
        door(service) {
    if (service.status().seal == keys::Seal::uninitialised) {
      std::vector<keys::SealRequest> seals(2);
      seals[0].secret = SecretText::copy_of(passphrase);
      seals[1].kind = keys::SealKind::shamir;
      seals[1].threshold = 2;
      seals[1].shares = 3;
      auto made = service.initialise(seals);
      if (!made) std::abort();
      for (const SecretText& share : *made) shares.emplace_back(share.reveal());
    } else if (!service.unseal(keys::SealKind::passphrase, passphrase)) {
      std::abort();
    }
    if (!service.confirm({}, false)) std::abort();  // there is no ledger that could know of a newer keystore
  }

  std::unique_ptr<keys::KeyClient> client(const std::string& role) {
    return std::make_unique<keys::KeyClient>(
        [this, role](std::uint16_t method, std::string_view body, const Deadline&) -> Result<std::string> {
          if (away) return Error{ErrorKind::unavailable, "keyd is away"};
          ASSIGN_OR_RETURN(const SecretText answer, door.answer(role, method, body));
          return std::string(answer.reveal());
        });
  }

  bool away = false;                // set it to see what lives on leases
  std::vector<std::string> shares;  // of a fresh keystore: any two of three open it
  keys::KeyService service;
  keys::KeyDoor door;
};

}  // namespace mailhold
