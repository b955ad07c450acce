#include "core/keys/root_seals.h"

#include "base/bytes.h"
#include "base/random.h"
#include "formats/sealed/box.h"
#include "formats/sealed/sealed.h"
#include "platform/crypto/hash.h"
#include "platform/crypto/x25519.h"

namespace mailhold::keys {
namespace {

// The parameters are bound: a row with other ones opens nothing, whatever they would cost.
sealed::Context context_of(const std::string& region, const SealRow& seal, std::string object, std::uint32_t version) {
  return {.region = region,
          .kind = sealed::Kind::root_key,
          .object_id = std::move(object),
          .version = version,
          .key_id = seal.id,
          .key_version = 1,
          .extra = seal.parameters};
}
constexpr const char* root_itself = "root";  // of format 2: under the seal's key
constexpr const char* root_box = "root box";
constexpr const char* private_half = "private half";

// All that must not be changed between two rotations; the root is the key.
sealed::Context context_of_vouch(const std::string& region, const SealRow& seal, std::uint32_t root_version) {
  ByteWriter all;
  all.raw(seal.id.bytes()).u8(static_cast<std::uint8_t>(seal.kind)).text(seal.parameters).text(seal.public_key);
  return {.region = region,
          .kind = sealed::Kind::root_key,
          .object_id = "vouched seal",
          .version = root_version,
          .key_version = root_version,
          .extra = crypto::sha256(all.text(seal.sealed_private).take())};
}

struct PassphraseParameters {
  std::string salt;
  crypto::Argon2idCost cost;
};
Result<PassphraseParameters> passphrase_parameters(const SealRow& seal) {
  ByteReader reader(seal.parameters);
  PassphraseParameters parameters;
  parameters.salt = std::string(reader.text());
  parameters.cost.memory_bytes = reader.u64();
  parameters.cost.passes = reader.u32();
  if (!reader.finish()) return Error{ErrorKind::corrupt, "a seal with malformed parameters"};
  return parameters;
}

struct ShamirParameters {
  std::uint8_t threshold = 0;
  std::uint8_t shares = 0;
  std::string commitments;  // 32 bytes for each share, by its index
};
Result<ShamirParameters> shamir_parameters(const SealRow& seal) {
  ByteReader reader(seal.parameters);
  ShamirParameters parameters;
  parameters.threshold = reader.u8();
  parameters.shares = reader.u8();
  parameters.commitments = std::string(reader.raw(std::size_t{32} * parameters.shares));
  if (!reader.finish() || parameters.threshold < shamir_threshold_min || parameters.threshold > parameters.shares)
    return Error{ErrorKind::corrupt, "a seal with malformed parameters"};
  return parameters;
}

struct TokenParameters {
  std::string token;
  std::string wrapped;
};
Result<TokenParameters> token_parameters(const SealRow& seal) {
  ByteReader reader(seal.parameters);
  TokenParameters parameters;
  parameters.token = std::string(reader.text());
  parameters.wrapped = std::string(reader.text());
  if (!reader.finish()) return Error{ErrorKind::corrupt, "a seal with malformed parameters"};
  return parameters;
}

// A share is 32 uniformly random bytes, so that its hash tells nothing that could be searched for.
std::string commitment_of(const std::string& region, Id seal, std::uint8_t index, std::string_view value) {
  ByteWriter writer;
  writer.raw("mailhold share commitment 1").text(region).raw(seal.bytes()).u8(index).raw(value);
  std::string bytes = writer.take();
  std::string commitment = crypto::sha256(bytes);
  wipe(bytes);
  return commitment;
}

Error does_not_open() { return {ErrorKind::corrupt, "a new wrap of the root did not open again: nothing was changed"}; }

std::vector<ShamirShare> copies(const std::vector<ShamirShare>& all, std::size_t from, std::size_t count) {
  std::vector<ShamirShare> some;
  for (std::size_t i = from; i < from + count; ++i) some.push_back({all[i].index, all[i].value.duplicate()});
  return some;
}

}  // namespace

Result<OpenedSeal> RootSeals::open(const SealRow& seal, SecretText seal_key) const {
  const Error does_not{ErrorKind::corrupt, "the wrap of the root does not open"};
  Result<SecretText> root = does_not;
  if (has_key_pair(seal)) {
    const auto half = sealed::open_secret(seal_key.reveal(), context_of(region_, seal, private_half, 1), seal.sealed_private);
    if (!half) return does_not;
    root = sealed::open_box(half->reveal(), context_of(region_, seal, root_box, seal.root_version), seal.sealed);
  } else {
    root = sealed::open_secret(seal_key.reveal(), context_of(region_, seal, root_itself, 1), seal.sealed);
  }
  if (!root || root->size() != sealed::key_size) return does_not;
  return OpenedSeal{seal, std::move(seal_key), std::move(*root)};
}

Result<OpenedSeal> RootSeals::open_by_passphrase(const SealRow& seal, std::string_view passphrase) const {
  if (passphrase.size() > passphrase_bytes_max) return Error{ErrorKind::denied, "the passphrase does not open the keystore"};
  ASSIGN_OR_RETURN(const PassphraseParameters parameters, passphrase_parameters(seal));
  ASSIGN_OR_RETURN(SecretText key, crypto::argon2id(passphrase, parameters.salt, parameters.cost));
  auto opened = open(seal, std::move(key));
  if (!opened) return Error{ErrorKind::denied, "the passphrase does not open the keystore"};
  return opened;
}

Result<OpenedSeal> RootSeals::open_by_token(const SealRow& seal, std::string_view pin) const {
  if (!token_.unwrap) return Error{ErrorKind::unavailable, "no module for hardware tokens is set (keys.pkcs11_module)"};
  ASSIGN_OR_RETURN(const TokenParameters parameters, token_parameters(seal));
  ASSIGN_OR_RETURN(SecretText key, token_.unwrap(parameters.token, pin, parameters.wrapped));
  return open(seal, std::move(key));
}

Result<OpenedSeal> RootSeals::open_by_shares(const SealRow& seal, const std::vector<ShamirShare>& shares) const {
  ASSIGN_OR_RETURN(SecretText key, combine_shares(shares));
  return open(seal, std::move(key));
}

// With what the seal is opened by at hand: a key pair of its own, and the root in a box for it.
Status RootSeals::wrap(SealRow& seal, std::string_view seal_key, std::string_view root, std::uint32_t root_version) const {
  crypto::X25519KeyPair pair = crypto::x25519_generate();
  seal.public_key = std::move(pair.public_key);
  seal.sealed_private = sealed::seal(seal_key, context_of(region_, seal, private_half, 1), pair.private_key.reveal());
  return box_root(seal, root, root_version);
}

Status RootSeals::box_root(SealRow& seal, std::string_view root, std::uint32_t root_version) const {
  seal.root_version = root_version;
  const sealed::Context context = context_of(region_, seal, root_box, root_version);
  ASSIGN_OR_RETURN(seal.sealed, sealed::seal_box_opened_again(seal.public_key, context, root));
  seal.vouched = sealed::seal(root, context_of_vouch(region_, seal, root_version), "");
  return done();
}

Result<SealRow> RootSeals::with_key_pair(const OpenedSeal& opened) const {
  SealRow seal = opened.seal;
  RETURN_IF_ERROR(wrap(seal, opened.key.reveal(), opened.root.reveal(), seal.root_version));
  const auto again = open(seal, opened.key.duplicate());
  if (!again || !equals_in_constant_time(again->root.reveal(), opened.root.reveal())) return does_not_open();
  return seal;
}

Result<SealRow> RootSeals::rewrapped(const SealRow& seal, std::string_view root, std::string_view next_root,
                                     std::uint32_t next_version) const {
  const std::string name = "the seal " + seal.id.text() + " (" + std::string(name_of(seal.kind)) + ")";
  if (!has_key_pair(seal))
    return Error{ErrorKind::unsupported,
                 name + " is of an older format: open it once, by `mailhold unseal` or `mailhold recovery drill`"};
  if (!sealed::open_secret(root, context_of_vouch(region_, seal, seal.root_version), seal.vouched))
    return Error{ErrorKind::denied, name + " was changed in the file: remove it, add another one, and rotate then"};
  SealRow next = seal;
  RETURN_IF_ERROR(box_root(next, next_root, next_version));
  return next;
}

Status RootSeals::check(const SealRow& seal, const RecoveryShare& share) const {
  const std::string name = "share " + std::to_string(share.index);
  ASSIGN_OR_RETURN(const ShamirParameters parameters, shamir_parameters(seal));
  if (share.region_tag != region_tag_of(region_)) return Error{ErrorKind::denied, name + " is of another region"};
  if (share.seal_tag != seal_tag_of(seal.id)) return Error{ErrorKind::denied, name + " is of another set of shares"};
  if (share.index > parameters.shares || share.threshold != parameters.threshold)
    return Error{ErrorKind::denied, name + " was changed: there is no such share"};
  const std::string_view genuine = std::string_view(parameters.commitments).substr((share.index - 1U) * 32U, 32);
  if (!equals_in_constant_time(commitment_of(region_, seal.id, share.index, share.value.reveal()), genuine))
    return Error{ErrorKind::denied, name + " was changed: it is not the one that was handed out"};
  return done();
}

Result<MadeSeal> RootSeals::make(const SealRequest& request, std::string_view root, std::uint32_t root_version,
                                 Milliseconds now) const {
  MadeSeal made;
  made.row.id = Id::random();
  made.row.kind = request.kind;
  made.row.created_at = now;
  const std::string_view secret = request.secret.reveal();
  switch (request.kind) {
    case SealKind::passphrase: {
      if (secret.size() < passphrase_bytes_min || secret.size() > passphrase_bytes_max)
        return Error{ErrorKind::invalid_input, "a passphrase has 8 to 1024 bytes"};
      const std::string salt = random_bytes(crypto::argon2id_salt_size);
      made.row.parameters = ByteWriter().text(salt).u64(cost_.memory_bytes).u32(cost_.passes).take();
      ASSIGN_OR_RETURN(const SecretText key, crypto::argon2id(secret, salt, cost_));
      RETURN_IF_ERROR(wrap(made.row, key.reveal(), root, root_version));
      const auto opened = open_by_passphrase(made.row, secret);
      if (!opened || !equals_in_constant_time(opened->root.reveal(), root)) return does_not_open();
      return made;
    }
    case SealKind::pkcs11: {
      if (!token_.wrap) return Error{ErrorKind::unavailable, "no module for hardware tokens is set (keys.pkcs11_module)"};
      if (request.token.empty() || request.token.size() > 32)
        return Error{ErrorKind::invalid_input, "the label of a token has 1 to 32 bytes"};
      const SecretText key = SecretText::random(sealed::key_size);
      ASSIGN_OR_RETURN(const std::string wrapped, token_.wrap(request.token, secret, key.reveal()));
      made.row.parameters = ByteWriter().text(request.token).text(wrapped).take();
      RETURN_IF_ERROR(wrap(made.row, key.reveal(), root, root_version));
      ASSIGN_OR_RETURN(const OpenedSeal opened, open_by_token(made.row, secret));
      if (!equals_in_constant_time(opened.root.reveal(), root)) return does_not_open();
      return made;
    }
    case SealKind::shamir: return make_shamir(request, std::move(made), root, root_version);
  }
  return Error{ErrorKind::invalid_input, "no such kind of seal"};
}

Result<MadeSeal> RootSeals::make_shamir(const SealRequest& request, MadeSeal made, std::string_view root,
                                        std::uint32_t root_version) const {
  const SecretText key = SecretText::random(sealed::key_size);
  ASSIGN_OR_RETURN(const std::vector<ShamirShare> shares, split_secret(key.reveal(), request.threshold, request.shares));
  ByteWriter parameters;
  parameters.u8(request.threshold).u8(request.shares);
  for (const ShamirShare& share : shares) parameters.raw(commitment_of(region_, made.row.id, share.index, share.value.reveal()));
  made.row.parameters = parameters.take();
  RETURN_IF_ERROR(wrap(made.row, key.reveal(), root, root_version));
  for (const std::size_t from : {std::size_t{0}, shares.size() - request.threshold}) {
    const auto opened = open_by_shares(made.row, copies(shares, from, request.threshold));
    if (!opened || !equals_in_constant_time(opened->root.reveal(), root)) return does_not_open();
  }
  for (const ShamirShare& share : shares) {
    const RecoveryShare written{region_tag_of(region_), seal_tag_of(made.row.id), request.threshold, share.index,
                                share.value.duplicate()};
    made.shares.push_back(write_share(written));
    ASSIGN_OR_RETURN(const RecoveryShare read, parse_share(made.shares.back().reveal()));
    RETURN_IF_ERROR(check(made.row, read));
  }
  return made;
}

Result<SealInfo> RootSeals::info(const SealRow& seal) {
  SealInfo info{seal.id, seal.kind, 0, 0, {}, seal.created_at, seal.drilled_at, seal.root_version, has_key_pair(seal)};
  if (seal.kind == SealKind::shamir) {
    ASSIGN_OR_RETURN(const ShamirParameters parameters, shamir_parameters(seal));
    info.threshold = parameters.threshold;
    info.shares = parameters.shares;
  }
  if (seal.kind == SealKind::pkcs11) {
    ASSIGN_OR_RETURN(TokenParameters parameters, token_parameters(seal));
    info.token = std::move(parameters.token);
  }
  return info;
}

}  // namespace mailhold::keys
