#include "core/keys/key_service.h"

#include <atomic>
#include <mutex>
#include <optional>

#include "base/log.h"
#include "base/random.h"
#include "core/keys/hierarchy.h"
#include "core/keys/spent_receipts.h"
#include "core/keys/use_templates.h"
#include "formats/sealed/box.h"
#include "formats/sealed/sealed.h"
#include "platform/crypto/ed25519.h"
#include "platform/crypto/hash.h"
#include "platform/crypto/x25519.h"

namespace mailhold::keys {
namespace {

constexpr std::size_t passphrase_bytes_min = 8;
constexpr std::size_t passphrase_bytes_max = 1024;
constexpr std::size_t policy_bytes_max = 64 * 1024;
constexpr std::uint32_t past_days_max = 35;   // how late a day may still get its key
constexpr std::uint32_t spool_days_min = 14;  // how long spool keys outlive their day

Slot slot_of(Purpose purpose) { return static_cast<Slot>(purpose); }

Error is_sealed() { return Error{ErrorKind::unavailable, "the region is sealed"}; }
Error no_keystore() { return Error{ErrorKind::not_found, "there is no keystore yet"}; }

sealed::Context secret_context(const std::string& region, const SecretRow& row, std::string_view policy,
                               const WrappingKey& above) {
  return {.region = region,
          .tenant = row.tenant,
          .kind = sealed::Kind::connection_secret,
          .object_id = std::string(row.connection.bytes()),
          .version = row.version,
          .key_id = above.id,
          .key_version = above.version,
          .extra = crypto::sha256(policy)};
}

SymmetricKey symmetric(const WrappingKey& key) { return {key.version, SecretText::copy_of(key.key)}; }

}  // namespace

struct KeyService::State {
  State(KeyService::Settings given, ReceiptVerifier receipt_verifier, const Clock& the_clock)
      : settings(std::move(given)), verifier(std::move(receipt_verifier)), clock(the_clock), spent(the_clock.now()) {}

  const KeyService::Settings settings;
  const ReceiptVerifier verifier;
  const Clock& clock;
  SecretPages pages;
  std::mutex ceremony;  // one passphrase at a time: each takes much memory
  mutable std::mutex mutex;
  // Guarded by mutex:
  std::optional<Keystore> keystore;
  std::optional<Hierarchy> hierarchy;  // present: unsealed
  SpentReceipts spent;

  Status open_keystore() {
    if (keystore) return done();
    ASSIGN_OR_RETURN(keystore, Keystore::open(settings.keystore));
    return done();
  }

  // Runs `work` with the hierarchy of an unsealed region, alone.
  template <class Work>
  auto unsealed(Work work) -> decltype(work(*hierarchy)) {
    const std::lock_guard lock(mutex);
    if (!hierarchy) return is_sealed();
    return work(*hierarchy);
  }

  std::uint32_t today() const { return day_of(clock.now()); }
};

KeyService::KeyService(Settings settings, ReceiptVerifier verifier, const Clock& clock)
    : state_(std::make_unique<State>(std::move(settings), std::move(verifier), clock)) {}
KeyService::~KeyService() = default;

KeyStatus KeyService::status() const {
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  KeyStatus status;
  status.region = state.settings.region;
  status.memory_is_secret = state.pages.is_secret();
  if (state.hierarchy) {
    status.seal = Seal::unsealed;
    auto tenants = state.keystore->count_tenants();
    if (tenants) status.tenants = *tenants;
    status.secret_public_key = crypto::x25519_public_key(state.hierarchy->entry_private_key()).value();
    status.ledger_verifying_key = crypto::Ed25519Signer::from_seed(state.hierarchy->ledger_seed()).value().public_key();
    return status;
  }
  if (!state.open_keystore()) return status;
  auto header = state.keystore->header();
  if (!header || header->has_value()) status.seal = Seal::sealed;
  return status;
}

Status KeyService::initialise(std::string_view passphrase) {
  State& state = *state_;
  if (passphrase.size() < passphrase_bytes_min || passphrase.size() > passphrase_bytes_max) {
    return Error{ErrorKind::invalid_input, "a passphrase has 8 to 1024 bytes"};
  }
  const std::lock_guard ceremony(state.ceremony);
  {
    const std::lock_guard lock(state.mutex);
    RETURN_IF_ERROR(state.open_keystore());
    ASSIGN_OR_RETURN(const auto existing, state.keystore->header());
    if (existing) return Error{ErrorKind::already_exists, "there is a keystore already"};
  }
  KeystoreHeader header;
  header.salt = random_bytes(crypto::argon2id_salt_size);
  header.cost = state.settings.cost;
  ASSIGN_OR_RETURN(const SecretText key, crypto::argon2id(passphrase, header.salt, header.cost));
  const std::lock_guard lock(state.mutex);
  state.hierarchy.emplace(*state.keystore, state.pages, state.settings.region);
  Status created = state.hierarchy->create(key.reveal(), std::move(header), state.clock.now());
  if (!created) state.hierarchy.reset();
  if (created) log_info("keys", "made a new keystore");
  return created;
}

Status KeyService::unseal(std::string_view passphrase) {
  State& state = *state_;
  if (passphrase.size() > passphrase_bytes_max) return Error{ErrorKind::denied, "the passphrase does not open the keystore"};
  const std::lock_guard ceremony(state.ceremony);
  std::optional<KeystoreHeader> header;
  {
    const std::lock_guard lock(state.mutex);
    RETURN_IF_ERROR(state.open_keystore());
    ASSIGN_OR_RETURN(header, state.keystore->header());
    if (!header) return no_keystore();
  }
  ASSIGN_OR_RETURN(const SecretText key, crypto::argon2id(passphrase, header->salt, header->cost));
  const std::lock_guard lock(state.mutex);
  // An unsealed region stays as it is unless the passphrase is right: a wrong one changes nothing.
  if (state.hierarchy) return state.hierarchy->check(key.reveal(), *header);
  state.hierarchy.emplace(*state.keystore, state.pages, state.settings.region);
  Status opened = state.hierarchy->unseal(key.reveal(), *header);
  if (!opened) state.hierarchy.reset();
  if (opened) {
    log_info("keys", "the region is unsealed");
  } else {
    log_warning("keys", "unsealing failed: " + opened.error().detail);
  }
  return opened;
}

void KeyService::seal() {
  const std::lock_guard lock(state_->mutex);
  if (state_->hierarchy) state_->hierarchy->close();
  state_->hierarchy.reset();
}

Status KeyService::create_tenant(Id tenant) {
  if (tenant.is_none()) return Error{ErrorKind::invalid_input, "a tenant needs an id"};
  return state_->unsealed([&](Hierarchy& keys) { return keys.create_tenant(tenant, state_->clock.now()); });
}

Status KeyService::destroy_tenant(Id tenant) {
  if (tenant.is_none()) return Error{ErrorKind::invalid_input, "a tenant needs an id"};
  return state_->unsealed([&](Hierarchy& keys) -> Status {
    RETURN_IF_ERROR(state_->keystore->destroy_tenant(tenant, state_->clock.now()));
    keys.forget_tenant(tenant);
    log_info("keys", "destroyed the keys of tenant " + tenant.text());
    return done();
  });
}

Result<SpoolKey> KeyService::spool_public_key(Id tenant) {
  return state_->unsealed([&](Hierarchy& keys) -> Result<SpoolKey> {
    const std::uint32_t day = state_->today();
    ASSIGN_OR_RETURN(const WrappingKey key, keys.make_day_key(tenant, slot_of(Purpose::spool), day, state_->clock.now()));
    ASSIGN_OR_RETURN(std::string public_key, crypto::x25519_public_key(key.key));
    return SpoolKey{day, std::move(public_key)};
  });
}

Result<SecretText> KeyService::spool_private_key(Id tenant, std::uint32_t version) {
  return state_->unsealed([&](Hierarchy& keys) -> Result<SecretText> {
    const std::uint32_t today = state_->today();
    // Tomorrow's is made ahead, so that gatewayd-out holds it before gatewayd-in seals to it.
    auto key = version >= today && version <= today + 1
                   ? keys.make_day_key(tenant, slot_of(Purpose::spool), version, state_->clock.now())
                   : keys.day_key(tenant, slot_of(Purpose::spool), version);
    if (!key) return key.error();
    return SecretText::copy_of(key->key);
  });
}

Result<SymmetricKey> KeyService::link_key(Id tenant, std::uint32_t version) {
  return state_->unsealed([&](Hierarchy& keys) -> Result<SymmetricKey> {
    const Slot slot = slot_of(Purpose::link);
    ASSIGN_OR_RETURN(const WrappingKey key, version == 0 ? keys.newest(tenant, slot) : keys.key({tenant, slot, 0, version}));
    return symmetric(key);
  });
}

Status KeyService::rotate_link_key(Id tenant) {
  return state_->unsealed([&](Hierarchy& keys) { return keys.make_next(tenant, slot_of(Purpose::link), state_->clock.now()); });
}

Result<SymmetricKey> KeyService::day_key(Id tenant, std::uint32_t day) {
  return state_->unsealed([&](Hierarchy& keys) -> Result<SymmetricKey> {
    const std::uint32_t today = state_->today();
    const Slot slot = slot_of(Purpose::store);
    if (day == 0) return Error{ErrorKind::invalid_input, "no such day"};
    const bool may_be_made = day <= today + 1 && day + past_days_max >= today;
    ASSIGN_OR_RETURN(const WrappingKey key,
                     may_be_made ? keys.make_day_key(tenant, slot, day, state_->clock.now()) : keys.day_key(tenant, slot, day));
    return symmetric(key);
  });
}

Status KeyService::destroy_day(Id tenant, std::uint32_t day) {
  return state_->unsealed([&](Hierarchy& keys) -> Status {
    const std::uint32_t today = state_->today();
    if (day >= today) return Error{ErrorKind::invalid_input, "the day is not over"};
    const KeyPlace place{tenant, slot_of(Purpose::store), day, 1};
    RETURN_IF_ERROR(state_->keystore->destroy_key(place));
    keys.forget(place);
    if (day + spool_days_min < today) {
      const KeyPlace spool{tenant, slot_of(Purpose::spool), day, 1};
      Status destroyed = state_->keystore->destroy_key(spool);
      if (!destroyed && destroyed.error().kind != ErrorKind::not_found) return destroyed;
      keys.forget(spool);
    }
    return done();
  });
}

Result<SymmetricKey> KeyService::purpose_key(Id tenant, Purpose purpose) {
  if (purpose != Purpose::configuration && purpose != Purpose::token && purpose != Purpose::trace) {
    return Error{ErrorKind::denied, "keys of that purpose are not handed out"};
  }
  return state_->unsealed([&](Hierarchy& keys) -> Result<SymmetricKey> {
    ASSIGN_OR_RETURN(const WrappingKey key, keys.newest(tenant, slot_of(purpose)));
    return symmetric(key);
  });
}

Result<BoxPublicKey> KeyService::ledger_public_key(Id tenant) {
  return state_->unsealed([&](Hierarchy& keys) -> Result<BoxPublicKey> {
    ASSIGN_OR_RETURN(const WrappingKey key, keys.newest(tenant, slot_of(Purpose::ledger)));
    ASSIGN_OR_RETURN(std::string public_key, crypto::x25519_public_key(key.key));
    return BoxPublicKey{key.version, std::move(public_key)};
  });
}

Result<SecretText> KeyService::open_ledger_box(Id tenant, std::uint32_t version, std::string_view context, std::string_view box) {
  ASSIGN_OR_RETURN(const sealed::Context place, sealed::Context::parse(context));
  if (place.tenant != tenant || place.region != state_->settings.region || place.kind != sealed::Kind::ledger_hour_key) {
    return Error{ErrorKind::corrupt, "the box is of another place"};
  }
  return state_->unsealed([&](Hierarchy& keys) -> Result<SecretText> {
    ASSIGN_OR_RETURN(const WrappingKey key, keys.key({tenant, slot_of(Purpose::ledger), 0, version}));
    return sealed::open_box(key.key, place, box);
  });
}

Result<SecretText> KeyService::ledger_signing_seed() {
  return state_->unsealed([](Hierarchy& keys) -> Result<SecretText> { return SecretText::copy_of(keys.ledger_seed()); });
}

Result<std::string> KeyService::ledger_verifying_key() {
  return state_->unsealed([](Hierarchy& keys) -> Result<std::string> {
    ASSIGN_OR_RETURN(const crypto::Ed25519Signer signer, crypto::Ed25519Signer::from_seed(keys.ledger_seed()));
    return std::string(signer.public_key());
  });
}

Result<std::string> KeyService::secret_public_key() {
  return state_->unsealed([](Hierarchy& keys) { return crypto::x25519_public_key(keys.entry_private_key()); });
}

Result<std::uint64_t> KeyService::put_secret(const SecretRecord& record) {
  if (record.tenant.is_none() || record.connection.is_none() || record.policy.empty() ||
      record.policy.size() > policy_bytes_max) {
    return Error{ErrorKind::invalid_input, "a secret needs a tenant, a connection and a policy"};
  }
  return state_->unsealed([&](Hierarchy& keys) -> Result<std::uint64_t> {
    const auto& region = state_->settings.region;
    ASSIGN_OR_RETURN(const WrappingKey key, keys.newest(record.tenant, slot_of(Purpose::connection)));
    ASSIGN_OR_RETURN(const SecretText secret,
                     sealed::open_box(keys.entry_private_key(),
                                      entry_context(region, record.tenant, record.connection, record.policy), record.box));
    RETURN_IF_ERROR(check_secret(secret.reveal()));
    SecretRow row{record.tenant, record.connection, 0, {}};
    ASSIGN_OR_RETURN(row.version, state_->keystore->secret_version(record.tenant, record.connection));
    ++row.version;
    row.sealed = sealed::seal(key.key, secret_context(region, row, record.policy, key), secret.reveal());
    RETURN_IF_ERROR(state_->keystore->put_secret(row));
    return row.version;
  });
}

Status KeyService::destroy_secret(Id tenant, Id connection) {
  return state_->unsealed([&](Hierarchy&) { return state_->keystore->destroy_secret(tenant, connection); });
}

Result<SecretText> KeyService::use(const UseRequest& request) {
  if (!is_template(request.template_name)) return Error{ErrorKind::unsupported, "no such template"};
  if (request.policy.empty() || request.policy.size() > policy_bytes_max) return Error{ErrorKind::invalid_input, "no policy"};
  if (!state_->verifier) return Error{ErrorKind::denied, "this process cannot check receipts"};
  ASSIGN_OR_RETURN(const std::string verifying_key, ledger_verifying_key());
  const Milliseconds now = state_->clock.now();
  ASSIGN_OR_RETURN(const VerifiedReceipt receipt, state_->verifier(request, verifying_key, now));
  Result<SecretText> secret = state_->unsealed([&](Hierarchy& keys) -> Result<SecretText> {
    RETURN_IF_ERROR(state_->spent.spend(receipt.leaf_hash, receipt.issued_at, receipt.expires_at, now));
    ASSIGN_OR_RETURN(const SecretRow row, state_->keystore->secret(request.tenant, request.connection));
    ASSIGN_OR_RETURN(const sealed::RowHeader header, sealed::read_row_header(row.sealed));
    ASSIGN_OR_RETURN(const WrappingKey key, keys.key({request.tenant, slot_of(Purpose::connection), 0, header.key_version}));
    return sealed::open_secret(key.key, secret_context(state_->settings.region, row, request.policy, key), row.sealed);
  });
  if (!secret) return secret;
  return answer_template(request, *secret, receipt.leaf_hash, now);
}

}  // namespace mailhold::keys
