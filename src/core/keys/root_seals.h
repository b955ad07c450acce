// Root seals: the wraps of a region's root key, each of which opens it alone. A seal has a key of its own, 32 bytes: made from
// a passphrase, put together from shares, or unwrapped inside a hardware token; the root is sealed under it, bound to the
// region, the seal and its parameters. Any thread; a passphrase takes a second and 256 MiB.
//
// Design: docs/formats/keystore.md, "Wraps of the root"
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/keys/keystore.h"
#include "core/keys/shamir.h"
#include "core/keys/share_text.h"
#include "platform/crypto/argon2id.h"

namespace mailhold::keys {

// Wraps and unwraps 32 bytes inside the hardware token of that label: a process of its own does it (programs/tokend).
// denied for a wrong PIN, unavailable when the token is not there, corrupt if it did not wrap these bytes.
struct TokenKeys {
  std::function<Result<std::string>(const std::string& token, std::string_view pin, std::string_view key)> wrap;
  std::function<Result<SecretText>(const std::string& token, std::string_view pin, std::string_view wrapped)> unwrap;
};

struct MadeSeal {
  SealRow row;
  std::vector<SecretText> shares;  // of shamir: text for people, once; nothing here keeps it
};

inline constexpr std::size_t passphrase_bytes_min = 8;
inline constexpr std::size_t passphrase_bytes_max = 1024;
inline constexpr std::size_t seals_max = 16;

class RootSeals {
 public:
  RootSeals(std::string region, crypto::Argon2idCost cost, TokenKeys token)
      : region_(std::move(region)), cost_(cost), token_(std::move(token)) {}

  // Seals the root, and opens it again the way it will be opened (for shamir: by the first and by the last shares), before
  // it returns. invalid_input for a request that makes no sense.
  Result<MadeSeal> make(const SealRequest& request, std::string_view root, Milliseconds now) const;

  // The root. denied for a wrong passphrase or PIN; unavailable without the token; corrupt if what was opened is no root.
  Result<SecretText> open_by_passphrase(const SealRow& seal, std::string_view passphrase) const;
  Result<SecretText> open_by_token(const SealRow& seal, std::string_view pin) const;
  Result<SecretText> open_by_shares(const SealRow& seal, const std::vector<ShamirShare>& shares) const;

  // Whether the share is one of this seal's, genuinely. invalid_input or denied; the detail names the share and what is
  // wrong with it: of another region, of another set, or changed.
  Status check(const SealRow& seal, const RecoveryShare& share) const;

  static Result<SealInfo> info(const SealRow& seal);  // corrupt

 private:
  Result<SecretText> open(const SealRow& seal, std::string_view seal_key) const;
  Result<MadeSeal> make_shamir(const SealRequest& request, MadeSeal made, std::string_view root) const;

  const std::string region_;
  const crypto::Argon2idCost cost_;
  const TokenKeys token_;
};

}  // namespace mailhold::keys
