#include "core/keys/root_seals.h"

#include "base/bytes.h"
#include "base/random.h"
#include "formats/sealed/sealed.h"
#include "platform/crypto/hash.h"

namespace mailhold::keys {
namespace {

// The parameters are bound: a row with other ones opens nothing, whatever they would cost.
sealed::Context context_of(const std::string& region, const SealRow& seal) {
  return {.region = region,
          .kind = sealed::Kind::root_key,
          .object_id = "root",
          .version = 1,
          .key_id = seal.id,
          .key_version = 1,
          .extra = seal.parameters};
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

Result<SecretText> RootSeals::open(const SealRow& seal, std::string_view seal_key) const {
  auto root = sealed::open_secret(seal_key, context_of(region_, seal), seal.sealed);
  if (!root || root->size() != sealed::key_size) return Error{ErrorKind::corrupt, "the wrap of the root does not open"};
  return root;
}

Result<SecretText> RootSeals::open_by_passphrase(const SealRow& seal, std::string_view passphrase) const {
  if (passphrase.size() > passphrase_bytes_max) return Error{ErrorKind::denied, "the passphrase does not open the keystore"};
  ASSIGN_OR_RETURN(const PassphraseParameters parameters, passphrase_parameters(seal));
  ASSIGN_OR_RETURN(const SecretText key, crypto::argon2id(passphrase, parameters.salt, parameters.cost));
  auto root = open(seal, key.reveal());
  if (!root) return Error{ErrorKind::denied, "the passphrase does not open the keystore"};
  return root;
}

Result<SecretText> RootSeals::open_by_token(const SealRow& seal, std::string_view pin) const {
  if (!token_.unwrap) return Error{ErrorKind::unavailable, "no module for hardware tokens is set (keys.pkcs11_module)"};
  ASSIGN_OR_RETURN(const TokenParameters parameters, token_parameters(seal));
  ASSIGN_OR_RETURN(const SecretText key, token_.unwrap(parameters.token, pin, parameters.wrapped));
  return open(seal, key.reveal());
}

Result<SecretText> RootSeals::open_by_shares(const SealRow& seal, const std::vector<ShamirShare>& shares) const {
  ASSIGN_OR_RETURN(const SecretText key, combine_shares(shares));
  return open(seal, key.reveal());
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

Result<MadeSeal> RootSeals::make(const SealRequest& request, std::string_view root, Milliseconds now) const {
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
      made.row.sealed = sealed::seal(key.reveal(), context_of(region_, made.row), root);
      const auto opened = open_by_passphrase(made.row, secret);
      if (!opened || !equals_in_constant_time(opened->reveal(), root)) return does_not_open();
      return made;
    }
    case SealKind::pkcs11: {
      if (!token_.wrap) return Error{ErrorKind::unavailable, "no module for hardware tokens is set (keys.pkcs11_module)"};
      if (request.token.empty() || request.token.size() > 32)
        return Error{ErrorKind::invalid_input, "the label of a token has 1 to 32 bytes"};
      const SecretText key = SecretText::random(sealed::key_size);
      ASSIGN_OR_RETURN(const std::string wrapped, token_.wrap(request.token, secret, key.reveal()));
      made.row.parameters = ByteWriter().text(request.token).text(wrapped).take();
      made.row.sealed = sealed::seal(key.reveal(), context_of(region_, made.row), root);
      ASSIGN_OR_RETURN(const SecretText opened, open_by_token(made.row, secret));
      if (!equals_in_constant_time(opened.reveal(), root)) return does_not_open();
      return made;
    }
    case SealKind::shamir: return make_shamir(request, std::move(made), root);
  }
  return Error{ErrorKind::invalid_input, "no such kind of seal"};
}

Result<MadeSeal> RootSeals::make_shamir(const SealRequest& request, MadeSeal made, std::string_view root) const {
  const SecretText key = SecretText::random(sealed::key_size);
  ASSIGN_OR_RETURN(const std::vector<ShamirShare> shares, split_secret(key.reveal(), request.threshold, request.shares));
  ByteWriter parameters;
  parameters.u8(request.threshold).u8(request.shares);
  for (const ShamirShare& share : shares) parameters.raw(commitment_of(region_, made.row.id, share.index, share.value.reveal()));
  made.row.parameters = parameters.take();
  made.row.sealed = sealed::seal(key.reveal(), context_of(region_, made.row), root);
  for (const std::size_t from : {std::size_t{0}, shares.size() - request.threshold}) {
    const auto opened = open_by_shares(made.row, copies(shares, from, request.threshold));
    if (!opened || !equals_in_constant_time(opened->reveal(), root)) return does_not_open();
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
  SealInfo info{seal.id, seal.kind, 0, 0, {}, seal.created_at, seal.drilled_at};
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
