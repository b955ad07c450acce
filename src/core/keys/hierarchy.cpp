#include "core/keys/hierarchy.h"

#include "formats/sealed/sealed.h"

namespace mailhold::keys {
namespace {

// Places in SecretPages.
enum Page : std::size_t { page_root, page_ledger_seed, page_entry, page_region_first };
constexpr std::size_t region_versions_max = SecretPages::slots - page_region_first;

constexpr std::size_t held_max = 200'000;  // opened keys kept in memory: 40,000 tenants with five keys each
constexpr Slot purposes[] = {Slot{1}, Slot{2}, Slot{3}, Slot{4}, Slot{5}, Slot{6}, Slot{7}, Slot{8}};

Error destroyed() { return Error{ErrorKind::not_found, "the key was destroyed"}; }

}  // namespace

Result<KeyRow> Hierarchy::wrap(const KeyPlace& place, std::string_view key, const WrappingKey& above, Milliseconds now) const {
  return wrap_key(region_, place, key, above, now);
}

Result<SecretText> Hierarchy::unwrap(const KeyRow& row, const WrappingKey& above) const {
  return unwrap_key(region_, row, above);
}

Result<Hierarchy::NewRegion> Hierarchy::make_region(Milliseconds now) const {
  NewRegion made{SecretText::random(sealed::key_size), {}};
  const SecretText region = SecretText::random(sealed::key_size);
  ASSIGN_OR_RETURN(KeyRow region_row, wrap({{}, Slot::region, 0, 1}, region.reveal(), {Id(), 1, made.root.reveal()}, now));
  const WrappingKey region_key{region_row.id, 1, region.reveal()};
  ASSIGN_OR_RETURN(KeyRow seed_row, wrap({{}, Slot::ledger_seed, 0, 1}, SecretText::random(32).reveal(), region_key, now));
  ASSIGN_OR_RETURN(KeyRow entry_row, wrap({{}, Slot::entry, 0, 1}, SecretText::random(32).reveal(), region_key, now));
  made.rows = {std::move(region_row), std::move(seed_row), std::move(entry_row)};
  return made;
}

std::string_view Hierarchy::root() const { return pages_.at(page_root); }

Status Hierarchy::check(std::string_view root) const {
  if (root_version_ != 0) {
    if (equals_in_constant_time(root, pages_.at(page_root))) return done();
    return Error{ErrorKind::corrupt, "a wrap opens another root than the one in use"};
  }
  ASSIGN_OR_RETURN(const KeyRow row, keystore_.newest({}, Slot::region, 0));
  RETURN_IF_ERROR(unwrap(row, {Id(), row.key_version, root}));
  return done();
}

Status Hierarchy::take(std::string_view root) {
  pages_.put(page_root, root);
  Status taken = adopt_region();
  if (!taken) close();
  return taken;
}

Status Hierarchy::adopt_region() {
  ASSIGN_OR_RETURN(const std::vector<KeyRow> rows, keystore_.versions({}, Slot::region, 0));
  if (rows.empty() || rows.size() > region_versions_max)
    return Error{ErrorKind::corrupt, "the keystore has no key of the region, or too many"};
  std::map<std::uint32_t, RegionKey> region_keys;
  for (const KeyRow& row : rows) {
    ASSIGN_OR_RETURN(const SecretText key, unwrap(row, {Id(), row.key_version, pages_.at(page_root)}));
    const std::size_t page = page_region_first + region_keys.size();
    pages_.put(page, key.reveal());
    region_keys[row.place.version] = {row.id, page};
  }
  region_keys_ = std::move(region_keys);
  root_version_ = rows.back().key_version;
  for (const auto& [slot, page] : {std::pair{Slot::ledger_seed, page_ledger_seed}, {Slot::entry, page_entry}}) {
    ASSIGN_OR_RETURN(const KeyRow row, keystore_.newest({}, slot, 0));
    ASSIGN_OR_RETURN(const WrappingKey wrapping, region_key(row.key_version));
    ASSIGN_OR_RETURN(const SecretText key, unwrap(row, wrapping));
    pages_.put(page, key.reveal());
  }
  return done();
}

Result<WrappingKey> Hierarchy::region_key(std::uint32_t version) const {
  const auto found = region_keys_.find(version);
  if (found == region_keys_.end()) return destroyed();
  return WrappingKey{found->second.id, version, pages_.at(found->second.page)};
}

Result<Hierarchy::NextRegionKey> Hierarchy::make_next_region_key(Milliseconds now) {
  return make_next_region_key({Id(), root_version_, pages_.at(page_root)}, now);
}

Result<Hierarchy::NextRegionKey> Hierarchy::make_next_region_key(const WrappingKey& root, Milliseconds now) {
  if (region_keys_.size() + 1 > region_versions_max)
    return Error{ErrorKind::limit_exceeded, "too many versions of the region key"};
  NextRegionKey next{SecretText::random(sealed::key_size), {}, {}};
  const KeyPlace place{{}, Slot::region, 0, region_version() + 1};
  ASSIGN_OR_RETURN(next.row, wrap(place, next.key.reveal(), root, now));
  for (const Slot slot : {Slot::ledger_seed, Slot::entry}) {
    ASSIGN_OR_RETURN(const KeyRow row, keystore_.newest({}, slot, 0));
    ASSIGN_OR_RETURN(KeyRow again, rewrapped(row, {next.row.id, place.version, next.key.reveal()}));
    next.rewrapped.push_back(std::move(again));
  }
  return next;
}

Result<Hierarchy::NextRoot> Hierarchy::make_next_root(Milliseconds now) {
  NextRoot next{SecretText::random(sealed::key_size), root_version_ + 1, {}};
  const WrappingKey root{Id(), root_version_, pages_.at(page_root)};
  const WrappingKey next_root{Id(), next.version, next.root.reveal()};
  ASSIGN_OR_RETURN(next.region, make_next_region_key(next_root, now));
  ASSIGN_OR_RETURN(const std::vector<KeyRow> rows, keystore_.versions({}, Slot::region, 0));
  for (const KeyRow& row : rows) {
    ASSIGN_OR_RETURN(KeyRow again, rewrap_key(region_, row, root, next_root));
    next.region.rewrapped.push_back(std::move(again));
  }
  return next;
}

Status Hierarchy::adopt_root(const NextRoot& next) {
  pages_.put(page_root, next.root.reveal());
  return adopt_region();
}

Result<KeyRow> Hierarchy::rewrapped(const KeyRow& row) {
  ASSIGN_OR_RETURN(const WrappingKey wrapping, newest_above(row.place));
  const SecretText key = SecretText::copy_of(wrapping.key);  // the view ends when another key is looked up
  return rewrapped(row, {wrapping.id, wrapping.version, key.reveal()});
}

Result<KeyRow> Hierarchy::rewrapped(const KeyRow& row, const WrappingKey& newest) {
  ASSIGN_OR_RETURN(const WrappingKey wrapping, above(row));
  return rewrap_key(region_, row, wrapping, newest);
}

void Hierarchy::close() {
  pages_.clear();
  root_version_ = 0;
  region_keys_.clear();
  held_.clear();
  newest_.clear();
}

std::string_view Hierarchy::ledger_seed() const { return pages_.at(page_ledger_seed); }
std::string_view Hierarchy::entry_private_key() const { return pages_.at(page_entry); }

Status Hierarchy::create_tenant(Id tenant, Milliseconds now) {
  ASSIGN_OR_RETURN(const WrappingKey above_all, region_key(region_version()));
  const SecretText tenant_secret = SecretText::random(sealed::key_size);
  ASSIGN_OR_RETURN(const KeyRow tenant_row, wrap({tenant, Slot::tenant, 0, 1}, tenant_secret.reveal(), above_all, now));
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
  std::erase_if(newest_, [&](const auto& entry) { return entry.first.tenant == tenant; });
}

void Hierarchy::forget(const KeyPlace& place) {
  held_.erase(place);
  newest_.erase({place.tenant, place.slot, place.epoch, 0});
}

// Tenant keys hang from the region key, purpose keys from the tenant key, day keys from the key of their purpose.
Result<WrappingKey> Hierarchy::above(const KeyRow& row) {
  const KeyPlace& place = row.place;
  if (place.slot == Slot::tenant || place.slot >= Slot::region) return region_key(row.key_version);
  return key({place.tenant, place.epoch == 0 ? Slot::tenant : place.slot, 0, row.key_version});
}

Result<WrappingKey> Hierarchy::newest_above(const KeyPlace& place) {
  if (place.slot == Slot::tenant || place.slot >= Slot::region) return region_key(region_version());
  return newest(place.tenant, place.epoch == 0 ? Slot::tenant : place.slot);
}

Result<WrappingKey> Hierarchy::key(const KeyPlace& place) {
  auto found = held_.find(place);
  if (found == held_.end()) {
    ASSIGN_OR_RETURN(const KeyRow row, keystore_.find(place));
    if (held_.size() >= held_max) held_.clear();
    ASSIGN_OR_RETURN(const WrappingKey wrapping, above(row));
    ASSIGN_OR_RETURN(SecretText opened, unwrap(row, wrapping));
    found = held_.emplace(place, Held{row.id, std::move(opened)}).first;
  }
  return WrappingKey{found->second.id, place.version, found->second.key.reveal()};
}

Result<WrappingKey> Hierarchy::newest(Id tenant, Slot slot, std::uint32_t epoch) {
  const auto known = newest_.find({tenant, slot, epoch, 0});
  if (known != newest_.end()) return key({tenant, slot, epoch, known->second});
  ASSIGN_OR_RETURN(const KeyRow row, keystore_.newest(tenant, slot, epoch));
  if (row.sealed.empty()) return destroyed();
  if (newest_.size() >= held_max) newest_.clear();
  newest_[{tenant, slot, epoch, 0}] = row.place.version;
  return key(row.place);
}

Result<KeyRow> Hierarchy::make(const KeyPlace& place, Milliseconds now) {
  ASSIGN_OR_RETURN(const WrappingKey wrapping, newest_above(place));
  return wrap(place, SecretText::random(sealed::key_size).reveal(), wrapping, now);
}

Status Hierarchy::make_next(Id tenant, Slot slot, Milliseconds now) {
  ASSIGN_OR_RETURN(const KeyRow current, keystore_.newest(tenant, slot, 0));
  KeyPlace place = current.place;
  ++place.version;
  ASSIGN_OR_RETURN(const KeyRow row, make(place, now));
  RETURN_IF_ERROR(keystore_.insert({row}));
  newest_.erase({tenant, slot, 0, 0});
  return done();
}

Result<WrappingKey> Hierarchy::make_day_key(Id tenant, Slot slot, std::uint32_t day, Milliseconds now) {
  auto known = newest(tenant, slot, day);
  if (known || known.error().kind != ErrorKind::not_found) return known;
  const KeyPlace place{tenant, slot, day, 1};
  if (keystore_.find(place)) return destroyed();
  ASSIGN_OR_RETURN(const KeyRow row, make(place, now));
  RETURN_IF_ERROR(keystore_.insert({row}));
  return key(place);
}

}  // namespace mailhold::keys
