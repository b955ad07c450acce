#include "core/keys/key_service.h"

#include "base/log.h"
#include "core/keys/connection_secrets.h"
#include "core/keys/key_service_state.h"
#include "formats/sealed/box.h"
#include "formats/sealed/sealed.h"
#include "platform/crypto/ed25519.h"
#include "platform/crypto/hash.h"
#include "platform/crypto/secret_memory.h"
#include "platform/crypto/x25519.h"

namespace mailhold::keys {
namespace {

constexpr std::size_t policy_bytes_max = 64 * 1024;
constexpr std::uint32_t past_days_max = 35;   // how late a day may still get its key
constexpr std::uint32_t spool_days_min = 14;  // how long spool keys outlive their day
constexpr std::uint32_t events_at_once = 200;
// How long copies of the keystore are kept (core/backup), how often it is looked whether the last one is gone, how many at once.
constexpr Milliseconds copies_life = 35LL * 24 * 60 * 60 * 1000;
constexpr Milliseconds shreds_look = 60 * 1000;
constexpr std::uint32_t shreds_at_once = 100;

Slot slot_of(Purpose purpose) { return static_cast<Slot>(purpose); }

SymmetricKey symmetric(const WrappingKey& key) { return {key.version, SecretText::copy_of(key.key)}; }

// Says under which root and region key a copy of what was destroyed lies.
KeyEvent shredded(const KeyService::State& state, const Hierarchy& keys, Id tenant, std::map<std::string, std::string> fields) {
  fields["region_version"] = std::to_string(keys.region_version());
  fields["root_version"] = std::to_string(keys.root_version());
  return state.event("key.shredded", tenant, std::move(fields));
}

// A secret of format 1 lies under the tenant's connection key itself. Its policy is known only while it is used.
Status give_own_key(KeyService::State& state, Hierarchy& keys, SecretRow row, std::string_view policy_hash,
                    std::string_view secret) {
  ASSIGN_OR_RETURN(const WrappingKey newest, keys.newest(row.tenant, slot_of(Purpose::connection)));
  seal_secret(row, state.settings.region, newest, policy_hash, secret);
  return state.keystore->reseal_secret(row, {});
}

}  // namespace

KeyService::KeyService(Settings settings, ReceiptVerifier verifier, const Clock& clock)
    : state_(std::make_unique<State>(std::move(settings), std::move(verifier), clock)) {}
KeyService::~KeyService() = default;

KeyStatus KeyService::status() const {
  State& state = *state_;
  KeyStatus status;
  status.region = state.settings.region;
  const crypto::SecretMemoryUse memory = crypto::secret_memory_use();
  status.memory_is_secret = state.pages.is_secret() && (!memory.is_kept || (memory.is_secret && memory.texts_outside == 0));
  status.host_is_asked = static_cast<bool>(state.settings.host);
  status.host_findings = state.host_findings();
  const std::lock_guard lock(state.mutex);
  if (!state.open_keystore()) return status;
  const auto region = state.keystore->region();
  if (!region || region->has_value()) status.seal = Seal::sealed;
  if (auto seals = state.keystore->seals()) {
    for (const SealRow& seal : *seals) {
      if (auto info = RootSeals::info(seal)) status.seals.push_back(std::move(*info));
    }
  }
  if (auto rotations = state.keystore->rotations()) {
    for (const auto& each : *rotations) status.rotations.push_back(each.progress);
  }
  if (!state.hierarchy) return status;
  status.seal = Seal::unsealed;
  status.confirmed = state.confirmed;
  status.region_version = state.hierarchy->region_version();
  status.root_version = state.hierarchy->root_version();
  if (const auto tenants = state.keystore->count_tenants()) status.tenants = *tenants;
  status.secret_public_key = crypto::x25519_public_key(state.hierarchy->entry_private_key()).value();
  status.ledger_verifying_key = crypto::Ed25519Signer::from_seed(state.hierarchy->ledger_seed()).value().public_key();
  return status;
}

void KeyService::seal() {
  const std::lock_guard lock(state_->mutex);
  state_->confirmed = false;
  state_->ahead.discard();
  state_->opened.forget_all();
  state_->verifying_key.clear();
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
    // All that is in memory goes first: the file may have lost the tenant even if what follows reports a failure.
    state_->ahead.discard();
    state_->opened.forget_tenant(tenant);
    keys.forget_tenant(tenant);
    RETURN_IF_ERROR(
        state_->keystore->destroy_tenant(tenant, keys.root_version(), shredded(*state_, keys, tenant, {{"scope", "tenant"}})));
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
                   : keys.newest(tenant, slot_of(Purpose::spool), version);
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

Result<SymmetricKey> KeyService::day_key(Id tenant, std::uint32_t day, std::uint32_t version) {
  return state_->unsealed([&](Hierarchy& keys) -> Result<SymmetricKey> {
    const std::uint32_t today = state_->today();
    const Slot slot = slot_of(Purpose::store);
    if (day == 0) return Error{ErrorKind::invalid_input, "no such day"};
    if (version != 0) {
      ASSIGN_OR_RETURN(const WrappingKey key, keys.key({tenant, slot, day, version}));
      return symmetric(key);
    }
    const bool may_be_made = day >= hold_epoch_first || (day <= today + 1 && day + past_days_max >= today);
    ASSIGN_OR_RETURN(const WrappingKey key,
                     may_be_made ? keys.make_day_key(tenant, slot, day, state_->clock.now()) : keys.newest(tenant, slot, day));
    return symmetric(key);
  });
}

Status KeyService::destroy_day(Id tenant, std::uint32_t day) {
  return state_->unsealed([&](Hierarchy& keys) -> Status {
    const std::uint32_t today = state_->today();
    if (day >= today && day < hold_epoch_first) return Error{ErrorKind::invalid_input, "the day is not over"};
    std::vector<Slot> slots = {slot_of(Purpose::store)};
    if (day + spool_days_min < today) slots.push_back(slot_of(Purpose::spool));
    Status outcome = Error{ErrorKind::not_found, "no such key"};
    for (const Slot slot : slots) {
      ASSIGN_OR_RETURN(const std::vector<KeyRow> versions, state_->keystore->versions(tenant, slot, day));
      for (const KeyRow& row : versions) {
        keys.forget(row.place);
        RETURN_IF_ERROR(state_->keystore->destroy_key(
            row.place, keys.root_version(),
            shredded(*state_, keys, tenant,
                     {{"scope", "day"}, {"day", std::to_string(day)}, {"version", std::to_string(row.place.version)}})));
        outcome = done();
      }
    }
    return outcome;
  });
}

Result<SymmetricKey> KeyService::purpose_key(Id tenant, Purpose purpose) {
  if (purpose != Purpose::configuration && purpose != Purpose::token && purpose != Purpose::trace && purpose != Purpose::index) {
    return Error{ErrorKind::denied, "keys of that purpose are not handed out"};
  }
  return state_->unsealed([&](Hierarchy& keys) -> Result<SymmetricKey> {
    // Tenants of before there was a search have none: it is made when it is first asked for.
    ASSIGN_OR_RETURN(const WrappingKey key, purpose == Purpose::index
                                                ? keys.make_day_key(tenant, slot_of(purpose), 0, state_->clock.now())
                                                : keys.newest(tenant, slot_of(purpose)));
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
  return state_->unsealed([&](Hierarchy& keys) -> Result<std::string> {
    if (state_->verifying_key.empty()) {
      ASSIGN_OR_RETURN(const crypto::Ed25519Signer signer, crypto::Ed25519Signer::from_seed(keys.ledger_seed()));
      state_->verifying_key = signer.public_key();
    }
    return state_->verifying_key;
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
    if (const auto before = state_->keystore->secret(record.tenant, record.connection))
      row.connection_key_version = before->connection_key_version;
    seal_secret(row, region, key, crypto::sha256(record.policy), secret.reveal());
    state_->opened.forget(record.tenant, record.connection);
    RETURN_IF_ERROR(state_->keystore->put_secret(
        row, state_->event("key.secret_put", record.tenant,
                           {{"of_connection", record.connection.text()}, {"version", std::to_string(row.version)}})));
    return row.version;
  });
}

Status KeyService::destroy_secret(Id tenant, Id connection) {
  return state_->unsealed([&](Hierarchy&) {
    state_->opened.forget(tenant, connection);
    return state_->keystore->destroy_secret(
        tenant, connection, state_->event("key.secret_destroyed", tenant, {{"of_connection", connection.text()}}));
  });
}

// With the receipt spent, whatever comes of it.
Result<KeyService::State::Use> KeyService::State::open_use(const UseRequest& request, const VerifiedReceipt& receipt,
                                                           Milliseconds now) {
  return unsealed([&](Hierarchy& keys) -> Result<Use> {
    if (!confirmed) return Error{ErrorKind::unavailable, "the keystore has not been compared with the ledger yet"};
    RETURN_IF_ERROR(spent.spend(receipt.leaf_hash, receipt.issued_at, receipt.expires_at, now));
    Use use;
    ASSIGN_OR_RETURN(use.row, keystore->secret(request.tenant, request.connection));
    use.policy_hash = crypto::sha256(request.policy);
    if (needs_signer(request.template_name)) use.signer = opened.find(use.row, use.policy_hash, now);
    if (use.signer) return use;
    const KeyPlace place{request.tenant, slot_of(Purpose::connection), 0, use.row.key_version};
    ASSIGN_OR_RETURN(const WrappingKey key, keys.key(place));
    ASSIGN_OR_RETURN(use.secret, open_secret_of(use.row, settings.region, key, use.policy_hash));
    if (use.row.connection_key_version == 0)
      RETURN_IF_ERROR(give_own_key(*this, keys, use.row, use.policy_hash, use.secret.reveal()));
    return use;
  });
}

// Unless the secret was replaced or destroyed while its key was opened.
void KeyService::State::keep_opened(const Use& use, std::shared_ptr<const ClientSigner> signer, Milliseconds now) {
  const std::lock_guard lock(mutex);
  if (!hierarchy) return;
  const auto row = keystore->secret(use.row.tenant, use.row.connection);
  if (row && row->sealed == use.row.sealed && row->sealed_key == use.row.sealed_key)
    opened.keep(use.row, use.policy_hash, std::move(signer), now);
}

Result<SecretText> KeyService::use(const UseRequest& request) {
  if (!is_template(request.template_name)) return Error{ErrorKind::unsupported, "no such template"};
  if (request.policy.empty() || request.policy.size() > policy_bytes_max) return Error{ErrorKind::invalid_input, "no policy"};
  if (!state_->verifier) return Error{ErrorKind::denied, "this process cannot check receipts"};
  ASSIGN_OR_RETURN(const std::string verifying_key, ledger_verifying_key());
  const Milliseconds now = state_->clock.now();
  ASSIGN_OR_RETURN(const VerifiedReceipt receipt, state_->verifier(request, verifying_key, now));
  ASSIGN_OR_RETURN(State::Use use, state_->open_use(request, receipt, now));
  // Signing and proving take a while: without the lock.
  if (!needs_signer(request.template_name)) return answer_template(request, use.secret);
  if (!use.signer) {
    ASSIGN_OR_RETURN(use.signer, ClientSigner::open(use.secret));
    state_->keep_opened(use, use.signer, now);
  }
  return use.signer->assertion(receipt.leaf_hash, now);
}

void KeyService::forget_opened_keys() {
  const std::lock_guard lock(state_->mutex);
  state_->opened.forget_expired(state_->clock.now());
}

// Not while a seal is being made or opened: it would be one of the old root.
Status KeyService::rotate_root() {
  const std::lock_guard ceremony(state_->ceremony);
  return state_->unsealed([&](Hierarchy& keys) { return state_->rotation(keys).begin_root(state_->seals, state_->clock.now()); });
}

Status KeyService::rotate_region() {
  return state_->unsealed([&](Hierarchy& keys) { return state_->rotation(keys).begin_region(state_->clock.now()); });
}

Status KeyService::rotate_tenant(Id tenant) {
  return state_->unsealed([&](Hierarchy& keys) {
    state_->opened.forget_tenant(tenant);
    return state_->rotation(keys).begin_tenant(tenant, state_->clock.now());
  });
}

Status KeyService::rotate_day(Id tenant, std::uint32_t day) {
  return state_->unsealed([&](Hierarchy& keys) { return state_->rotation(keys).begin_day(tenant, day, state_->clock.now()); });
}

Status KeyService::end_day_rotation(Id tenant, std::uint32_t day, std::uint64_t rows) {
  return state_->unsealed(
      [&](Hierarchy& keys) { return state_->rotation(keys).end_day(tenant, day, rows, state_->clock.now()); });
}

Status KeyService::rotate_connection(Id tenant, Id connection) {
  return state_->unsealed([&](Hierarchy& keys) {
    state_->opened.forget(tenant, connection);
    return state_->rotation(keys).rotate_connection(tenant, connection, state_->clock.now());
  });
}

Result<bool> KeyService::rewrap_step() {
  state_->ahead.wait();  // before the lock: others are answered meanwhile
  return state_->unsealed([&](Hierarchy& keys) -> Result<bool> {
    ASSIGN_OR_RETURN(const bool rotated, state_->rotation(keys).step(state_->clock.now()));
    ASSIGN_OR_RETURN(const bool settled, state_->settle_shreds(keys));
    return rotated || settled;
  });
}

// What was shredded under a root that is gone: once copies from before the shredding are too old to be kept, nothing opens it.
Result<bool> KeyService::State::settle_shreds(Hierarchy& keys) {
  const Milliseconds now = clock.now();
  if (now - shreds_looked_at < shreds_look) return false;
  ASSIGN_OR_RETURN(const std::vector<ShredRow> shreds,
                   keystore->settled_shreds(keys.root_version(), now - copies_life, shreds_at_once));
  if (shreds.empty()) shreds_looked_at = now;
  for (const ShredRow& each : shreds) {
    RETURN_IF_ERROR(keystore->settle_shred(each, event("key.shred_completed", each.tenant,
                                                       {{"scope", each.scope},
                                                        {"count", std::to_string(each.count)},
                                                        {"root_version", std::to_string(each.root_version)}})));
  }
  return !shreds.empty();
}

Result<std::vector<KeyEvent>> KeyService::events() {
  const std::lock_guard lock(state_->mutex);
  RETURN_IF_ERROR(state_->open_keystore());
  return state_->keystore->events(events_at_once);
}

Status KeyService::forget_event(Id event) {
  const std::lock_guard lock(state_->mutex);
  RETURN_IF_ERROR(state_->open_keystore());
  return state_->keystore->forget_event(event, state_->clock.now());
}

}  // namespace mailhold::keys
