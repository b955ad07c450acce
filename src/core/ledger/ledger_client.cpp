#include "core/ledger/ledger_client.h"

#include "base/random.h"
#include "core/ledger/ledger_messages.h"
#include "formats/sealed/box.h"
#include "formats/sealed/sealed.h"
#include "platform/crypto/hash.h"

namespace mailhold::ledger {
namespace {

constexpr std::size_t hour_keys_max = 100'000;  // kept in memory at once, by either class

sealed::Context context_of_box(const std::string& region, Id tenant, Id hour_key_id, std::uint32_t hour,
                               std::uint32_t key_version) {
  sealed::Context context;
  context.region = region;
  context.tenant = tenant;
  context.kind = sealed::Kind::ledger_hour_key;
  context.object_id = hour_key_id.bytes();
  context.version = hour;
  context.key_version = key_version;
  return context;
}

sealed::Context context_of_text(const std::string& region, Id tenant, Id connection, const Hash& commitment,
                                const Payload& payload) {
  sealed::Context context;
  context.region = region;
  context.tenant = tenant;
  context.kind = sealed::Kind::ledger_entry;
  context.object_id = commitment.bytes();
  context.version = payload.hour;
  context.key_id = payload.hour_key_id;
  context.key_version = payload.key_version;
  context.extra = connection.bytes();
  return context;
}

}  // namespace

LedgerClient::LedgerClient(LedgerCall call, FindLedgerKey find_key, std::string region, const Clock& clock)
    : call_(std::move(call)), find_key_(std::move(find_key)), region_(std::move(region)), clock_(clock) {}

Result<Receipt> LedgerClient::append(const Entry& entry, const Deadline& deadline) {
  ASSIGN_OR_RETURN(std::string clear_text, write_clear_text(entry, random_bytes(blinder_bytes)));
  const Hash commitment = Hash::from_bytes(crypto::sha256(clear_text));
  ASSIGN_OR_RETURN(Payload payload, seal_for(entry, clear_text, commitment, deadline));
  const Append append{entry.tenant, entry.connection, commitment, encode(payload)};
  ASSIGN_OR_RETURN(std::string answer, call_(static_cast<std::uint16_t>(Method::append), encode(append), deadline));
  ASSIGN_OR_RETURN(Receipt receipt, Receipt::parse(answer));
  ASSIGN_OR_RETURN(Event event, parse_event(receipt.entry));
  if (event.commitment != commitment || event.tenant != entry.tenant) {
    return Error{ErrorKind::corrupt, "ledger answered with the receipt of another entry"};
  }
  receipt.clear_text = std::move(clear_text);
  return receipt;
}

Result<Payload> LedgerClient::seal_for(const Entry& entry, std::string_view clear_text, const Hash& commitment,
                                       const Deadline& deadline) {
  const std::uint32_t hour = hour_of(clock_.now());
  const auto seal_now = [&]() -> std::optional<Payload> {
    const std::scoped_lock lock(mutex_);
    const auto found = hour_keys_.find(entry.tenant);
    if (found == hour_keys_.end() || found->second.hour != hour) return std::nullopt;
    const HourKey& key = found->second;
    Payload payload{key.key_version, key.hour, key.id, key.box, {}};
    payload.ciphertext = sealed::seal_compact(
        key.key.reveal(), context_of_text(region_, entry.tenant, entry.connection, commitment, payload), clear_text);
    return payload;
  };
  if (auto payload = seal_now()) return std::move(*payload);
  RETURN_IF_ERROR(renew_hour_key(entry.tenant, hour, deadline));
  if (auto payload = seal_now()) return std::move(*payload);
  return Error{ErrorKind::unavailable, "ledger: the hour key was dropped at once"};
}

Status LedgerClient::renew_hour_key(Id tenant, std::uint32_t hour, const Deadline& deadline) {
  ASSIGN_OR_RETURN(keys::LedgerPublicKey ledger_key, find_key_(tenant, deadline));
  HourKey key;
  key.hour = hour;
  key.key_version = ledger_key.version;
  key.id = Id::random();
  key.key = SecretText::random(sealed::key_size);
  const auto context = context_of_box(region_, tenant, key.id, hour, ledger_key.version);
  ASSIGN_OR_RETURN(key.box, sealed::seal_box(ledger_key.public_key, context, key.key.reveal()));
  const std::scoped_lock lock(mutex_);
  if (hour_keys_.size() >= hour_keys_max) hour_keys_.clear();
  hour_keys_[tenant] = std::move(key);
  return done();
}

Result<std::string> EntryOpener::open(std::string_view entry, Id tenant, const Deadline& deadline) {
  ASSIGN_OR_RETURN(Event event, parse_event(entry));
  if (event.tenant != tenant) return Error{ErrorKind::corrupt, "ledger entry: of another tenant"};
  ASSIGN_OR_RETURN(Payload payload, parse_payload(event.payload));
  const auto open_text = [&](const SecretText& key) -> Result<std::string> {
    const auto context = context_of_text(region_, tenant, event.connection, event.commitment, payload);
    ASSIGN_OR_RETURN(std::string clear_text, sealed::open_compact(key.reveal(), context, payload.ciphertext));
    if (Hash::from_bytes(crypto::sha256(clear_text)) != event.commitment) {
      return Error{ErrorKind::corrupt, "ledger entry: clear text is not what was committed to"};
    }
    return clear_text;
  };
  {
    const std::scoped_lock lock(mutex_);
    if (const auto known = hour_keys_.find(payload.hour_key_id); known != hour_keys_.end()) return open_text(known->second);
  }
  const auto context = context_of_box(region_, tenant, payload.hour_key_id, payload.hour, payload.key_version);
  ASSIGN_OR_RETURN(SecretText key, open_box_(tenant, payload.key_version, payload.box, context.encode(), deadline));
  auto clear_text = open_text(key);
  const std::scoped_lock lock(mutex_);
  if (hour_keys_.size() >= hour_keys_max) hour_keys_.clear();
  if (clear_text) hour_keys_[payload.hour_key_id] = std::move(key);
  return clear_text;
}

}  // namespace mailhold::ledger
