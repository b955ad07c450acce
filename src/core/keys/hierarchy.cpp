#include "core/keys/hierarchy.h"

#include "base/bytes.h"
#include "formats/sealed/sealed.h"

namespace mailhold::keys {
namespace {

// Places in SecretPages.
enum Page : std::size_t { page_root, page_region, page_ledger_seed, page_entry };

constexpr std::size_t held_max = 200'000;  // opened keys kept in memory: 40,000 tenants with five keys each
constexpr Slot purposes[] = {Slot{1}, Slot{2}, Slot{3}, Slot{4}, Slot{5}, Slot{6}, Slot{7}, Slot{8}};

sealed::Kind kind_of(const KeyPlace& place) {
  if (place.epoch != 0) return sealed::Kind::day_key;
  switch (place.slot) {
    case Slot::tenant: return sealed::Kind::tenant_key;
    case Slot::region: return sealed::Kind::region_key;
    case Slot::ledger_seed: return sealed::Kind::signing_seed;
    case Slot::entry: return sealed::Kind::entry_key;
  }
  return sealed::Kind::purpose_key;
}

// The parameters are bound too: a header with other ones opens nothing, whatever they would cost.
sealed::Context root_context(const KeystoreHeader& header) {
  ByteWriter parameters;
  parameters.text(header.salt).u64(header.cost.memory_bytes).u32(header.cost.passes);
  return {.region = header.region,
          .kind = sealed::Kind::root_key,
          .object_id = "root",
          .version = 1,
          .key_version = 1,
          .extra = parameters.take()};
}

Error destroyed() { return Error{ErrorKind::not_found, "the key was destroyed"}; }

}  // namespace

sealed::Context Hierarchy::context_of(const KeyRow& row, const WrappingKey& above) const {
  ByteWriter object;
  object.raw(row.id.bytes()).u8(static_cast<std::uint8_t>(row.place.slot)).u32(row.place.epoch);
  return {.region = region_,
          .tenant = row.place.tenant,
          .kind = kind_of(row.place),
          .object_id = object.take(),
          .field = static_cast<std::uint16_t>(row.place.slot),
          .version = row.place.version,
          .key_id = above.id,
          .key_version = above.version};
}

Result<KeyRow> Hierarchy::wrap(const KeyPlace& place, std::string_view key, const WrappingKey& above, Milliseconds now) const {
  KeyRow row{place, Id::random(), now, {}};
  row.sealed = sealed::seal(above.key, context_of(row, above), key);
  return row;
}

Result<SecretText> Hierarchy::unwrap(const KeyRow& row, const WrappingKey& above) const {
  if (row.sealed.empty()) return destroyed();
  auto key = sealed::open_secret(above.key, context_of(row, above), row.sealed);
  if (!key) return key.error().while_doing("opening a key of tenant " + row.place.tenant.text());
  if (key->size() != sealed::key_size) return Error{ErrorKind::corrupt, "a wrapped key of wrong size"};
  return key;
}

Status Hierarchy::create(std::string_view passphrase_key, KeystoreHeader header, Milliseconds now) {
  const SecretText root = SecretText::random(sealed::key_size);
  header.region = region_;
  header.sealed_root = sealed::seal(passphrase_key, root_context(header), root.reveal());
  const WrappingKey root_key{Id(), 1, root.reveal()};
  const SecretText region = SecretText::random(sealed::key_size);
  ASSIGN_OR_RETURN(KeyRow region_row, wrap({{}, Slot::region, 0, 1}, region.reveal(), root_key, now));
  const WrappingKey region_key{region_row.id, 1, region.reveal()};
  ASSIGN_OR_RETURN(KeyRow seed_row, wrap({{}, Slot::ledger_seed, 0, 1}, SecretText::random(32).reveal(), region_key, now));
  ASSIGN_OR_RETURN(KeyRow entry_row, wrap({{}, Slot::entry, 0, 1}, SecretText::random(32).reveal(), region_key, now));
  RETURN_IF_ERROR(keystore_.create(header, {region_row, seed_row, entry_row}));
  pages_.put(page_root, root.reveal());
  return load_region();
}

Result<SecretText> Hierarchy::open_root(std::string_view passphrase_key, const KeystoreHeader& header) const {
  if (header.region != region_) return Error{ErrorKind::denied, "the keystore is of another region"};
  auto root = sealed::open_secret(passphrase_key, root_context(header), header.sealed_root);
  if (!root || root->size() != sealed::key_size) return Error{ErrorKind::denied, "the passphrase does not open the keystore"};
  return root;
}

Status Hierarchy::check(std::string_view passphrase_key, const KeystoreHeader& header) const {
  RETURN_IF_ERROR(open_root(passphrase_key, header));
  return done();
}

Status Hierarchy::unseal(std::string_view passphrase_key, const KeystoreHeader& header) {
  ASSIGN_OR_RETURN(const SecretText root, open_root(passphrase_key, header));
  pages_.put(page_root, root.reveal());
  Status loaded = load_region();
  if (!loaded) close();
  return loaded;
}

Status Hierarchy::load_region() {
  ASSIGN_OR_RETURN(const KeyRow region_row, keystore_.newest({}, Slot::region, 0));
  ASSIGN_OR_RETURN(const SecretText region, unwrap(region_row, {Id(), 1, pages_.at(page_root)}));
  pages_.put(page_region, region.reveal());
  region_key_id_ = region_row.id;
  const WrappingKey region_key{region_row.id, region_row.place.version, pages_.at(page_region)};
  ASSIGN_OR_RETURN(const KeyRow seed_row, keystore_.newest({}, Slot::ledger_seed, 0));
  ASSIGN_OR_RETURN(const SecretText seed, unwrap(seed_row, region_key));
  pages_.put(page_ledger_seed, seed.reveal());
  ASSIGN_OR_RETURN(const KeyRow entry_row, keystore_.newest({}, Slot::entry, 0));
  ASSIGN_OR_RETURN(const SecretText entry, unwrap(entry_row, region_key));
  pages_.put(page_entry, entry.reveal());
  return done();
}

void Hierarchy::close() {
  pages_.clear();
  held_.clear();
  newest_.clear();
}

std::string_view Hierarchy::ledger_seed() const { return pages_.at(page_ledger_seed); }
std::string_view Hierarchy::entry_private_key() const { return pages_.at(page_entry); }

Status Hierarchy::create_tenant(Id tenant, Milliseconds now) {
  const WrappingKey region_key{region_key_id_, 1, pages_.at(page_region)};
  const SecretText tenant_secret = SecretText::random(sealed::key_size);
  ASSIGN_OR_RETURN(const KeyRow tenant_row, wrap({tenant, Slot::tenant, 0, 1}, tenant_secret.reveal(), region_key, now));
  const WrappingKey tenant_key{tenant_row.id, 1, tenant_secret.reveal()};
  std::vector<KeyRow> rows = {tenant_row};
  for (const Slot purpose : purposes) {
    ASSIGN_OR_RETURN(KeyRow row, wrap({tenant, purpose, 0, 1}, SecretText::random(sealed::key_size).reveal(), tenant_key, now));
    rows.push_back(std::move(row));
  }
  return keystore_.create_tenant(tenant, rows);
}

void Hierarchy::forget_tenant(Id tenant) {
  std::erase_if(held_, [&](const auto& entry) { return entry.first.tenant == tenant; });
  std::erase_if(newest_, [&](const auto& entry) { return entry.first.first == tenant; });
}

void Hierarchy::forget(const KeyPlace& place) { held_.erase(place); }

// Tenant keys hang from the region key, purpose keys from the tenant key, day keys from the key of their purpose.
Result<WrappingKey> Hierarchy::above(const KeyPlace& place) {
  if (place.slot == Slot::tenant) return WrappingKey{region_key_id_, 1, pages_.at(page_region)};
  if (place.epoch == 0) return key({place.tenant, Slot::tenant, 0, 1});
  return key({place.tenant, place.slot, 0, 1});
}

Result<WrappingKey> Hierarchy::key(const KeyPlace& place) {
  auto found = held_.find(place);
  if (found == held_.end()) {
    ASSIGN_OR_RETURN(const KeyRow row, keystore_.find(place));
    if (held_.size() >= held_max) held_.clear();
    ASSIGN_OR_RETURN(const WrappingKey wrapping, above(place));
    ASSIGN_OR_RETURN(SecretText opened, unwrap(row, wrapping));
    found = held_.emplace(place, Held{row.id, std::move(opened)}).first;
  }
  return WrappingKey{found->second.id, place.version, found->second.key.reveal()};
}

Result<WrappingKey> Hierarchy::newest(Id tenant, Slot slot) {
  const auto known = newest_.find({tenant, slot});
  if (known != newest_.end()) return key({tenant, slot, 0, known->second});
  ASSIGN_OR_RETURN(const KeyRow row, keystore_.newest(tenant, slot, 0));
  newest_[{tenant, slot}] = row.place.version;
  return key(row.place);
}

Status Hierarchy::make_next(Id tenant, Slot slot, Milliseconds now) {
  ASSIGN_OR_RETURN(const KeyRow current, keystore_.newest(tenant, slot, 0));
  KeyPlace place = current.place;
  ++place.version;
  ASSIGN_OR_RETURN(const WrappingKey wrapping, above(place));
  ASSIGN_OR_RETURN(const KeyRow row, wrap(place, SecretText::random(sealed::key_size).reveal(), wrapping, now));
  RETURN_IF_ERROR(keystore_.insert({row}));
  newest_[{tenant, slot}] = place.version;
  return done();
}

Result<WrappingKey> Hierarchy::day_key(Id tenant, Slot slot, std::uint32_t day) { return key({tenant, slot, day, 1}); }

Result<WrappingKey> Hierarchy::make_day_key(Id tenant, Slot slot, std::uint32_t day, Milliseconds now) {
  auto known = day_key(tenant, slot, day);
  if (known || known.error().kind != ErrorKind::not_found) return known;
  const KeyPlace place{tenant, slot, day, 1};
  if (keystore_.find(place)) return destroyed();
  ASSIGN_OR_RETURN(const WrappingKey wrapping, above(place));
  ASSIGN_OR_RETURN(const KeyRow row, wrap(place, SecretText::random(sealed::key_size).reveal(), wrapping, now));
  RETURN_IF_ERROR(keystore_.insert({row}));
  return key(place);
}

}  // namespace mailhold::keys
