// keyd in the same process, for tests of rooms that need keys: a region with a fresh keystore, unsealed, and KeyClients
// that speak with the voice of any role. Link core_keys; the directory must exist and be the test's own.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "core/keys/key_client.h"
#include "core/keys/key_door.h"
#include "core/keys/key_service.h"

namespace mailhold {

class InProcessKeys {
 public:
  static constexpr const char* passphrase = "correct horse battery";
  static constexpr const char* region = "test";

  explicit InProcessKeys(const std::filesystem::path& directory, keys::ReceiptVerifier verifier = {},
                         const Clock& clock = system_clock())
      : service({directory / "keystore.db", region, {.memory_bytes = 64 << 10, .passes = 1}}, std::move(verifier), clock),
        door(service) {
    const Status opened =
        service.status().seal == keys::Seal::uninitialised ? service.initialise(passphrase) : service.unseal(passphrase);
    if (!opened) std::abort();
  }

  std::unique_ptr<keys::KeyClient> client(const std::string& role) {
    return std::make_unique<keys::KeyClient>(
        [this, role](std::uint16_t method, std::string_view body, const Deadline&) -> Result<std::string> {
          if (away) return Error{ErrorKind::unavailable, "keyd is away"};
          return door.answer(role, method, body);
        });
  }

  bool away = false;  // set it to see what lives on leases
  keys::KeyService service;
  keys::KeyDoor door;
};

}  // namespace mailhold
