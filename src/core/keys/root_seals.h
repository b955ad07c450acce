// Root seals: the wraps of a region's root key, each of which opens it alone. A seal has a key of its own, 32 bytes: made from
// a passphrase, put together from shares, or unwrapped inside a hardware token. Under it lies the private half of the seal's
// X25519 key, and the root lies in a box for its public half, so that the next root is wrapped without anybody's secret. The
// root vouches for each seal: a public key that somebody wrote into the file gets no root. Any thread; a passphrase takes a
// second and 256 MiB.
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

struct OpenedSeal {
  SealRow seal{};
  SecretText key{};   // of the seal
  SecretText root{};  // empty: shares are missing yet
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

  // Wraps the root of that version, and opens it again the way it will be opened (for shamir: by the first and by the last
  // shares), before it returns. invalid_input for a request that makes no sense.
  Result<MadeSeal> make(const SealRequest& request, std::string_view root, std::uint32_t root_version, Milliseconds now) const;

  // The root. denied for a wrong passphrase or PIN; unavailable without the token; corrupt if what was opened is no root.
  Result<OpenedSeal> open_by_passphrase(const SealRow& seal, std::string_view passphrase) const;
  Result<OpenedSeal> open_by_token(const SealRow& seal, std::string_view pin) const;
  Result<OpenedSeal> open_by_shares(const SealRow& seal, const std::vector<ShamirShare>& shares) const;

  // A seal of format 2 keeps the root under the seal's key itself. It gets its key pair while it is open; check its root first.
  static bool has_key_pair(const SealRow& seal) { return !seal.public_key.empty(); }
  Result<SealRow> with_key_pair(const OpenedSeal& opened) const;

  // The seal as a wrap of the next root, made without opening it: nothing is needed but both roots. The box is opened again
  // by what its sender holds. unsupported for a seal without a key pair; denied if `root` does not vouch for what stands in
  // the row. Both name the seal.
  Result<SealRow> rewrapped(const SealRow& seal, std::string_view root, std::string_view next_root,
                            std::uint32_t next_version) const;

  // Whether the share is one of this seal's, genuinely. invalid_input or denied; the detail names the share and what is
  // wrong with it: of another region, of another set, or changed.
  Status check(const SealRow& seal, const RecoveryShare& share) const;

  static Result<SealInfo> info(const SealRow& seal);  // corrupt

 private:
  Result<OpenedSeal> open(const SealRow& seal, SecretText seal_key) const;
  Status wrap(SealRow& seal, std::string_view seal_key, std::string_view root, std::uint32_t root_version) const;
  Status box_root(SealRow& seal, std::string_view root, std::uint32_t root_version) const;
  Result<MadeSeal> make_shamir(const SealRequest& request, MadeSeal made, std::string_view root,
                               std::uint32_t root_version) const;

  const std::string region_;
  const crypto::Argon2idCost cost_;
  const TokenKeys token_;
};

}  // namespace mailhold::keys
