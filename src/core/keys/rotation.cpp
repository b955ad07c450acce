#include "core/keys/rotation.h"

#include "base/bytes.h"
#include "base/log.h"
#include "core/keys/connection_secrets.h"
#include "formats/sealed/sealed.h"

namespace mailhold::keys {
namespace {

constexpr Slot wrapping_slots[] = {static_cast<Slot>(Purpose::connection), static_cast<Slot>(Purpose::spool),
                                   static_cast<Slot>(Purpose::store)};
constexpr Slot day_slots[] = {static_cast<Slot>(Purpose::spool), static_cast<Slot>(Purpose::store)};
constexpr Slot connection_slot = static_cast<Slot>(Purpose::connection);
constexpr Slot store_slot = static_cast<Slot>(Purpose::store);

KeyEvent event_of(std::string name, Id tenant, Milliseconds now, std::map<std::string, std::string> fields) {
  return {Id::random(), now, tenant, std::move(name), std::move(fields)};
}

Error under_way() { return {ErrorKind::already_exists, "a rotation of it is under way; `mailhold key status` shows how far"}; }

// What the rewrap of a tenant goes through, in this order. At the end it looks at all days once more: whatever a cursor says,
// nothing may be left behind when the old keys are destroyed.
enum Phase : std::uint8_t { spool_days = 2, store_days = 8, secrets = 1, spool_again = 102, store_again = 108, the_end = 0 };
constexpr Phase first_phase = spool_days;

Phase phase_after(Phase phase) {
  switch (phase) {
    case spool_days: return store_days;
    case store_days: return secrets;
    case secrets: return spool_again;
    case spool_again: return store_again;
    default: return the_end;
  }
}

Slot slot_of(Phase phase) {
  const bool of_store = phase == store_days || phase == store_again;
  return static_cast<Slot>(of_store ? Purpose::store : Purpose::spool);
}

}  // namespace

// Where the rewrap of a tenant stands: the phase, and the place or connection behind which it goes on.
struct Rotation::Cursor {
  Phase phase = first_phase;
  std::uint32_t epoch = 0;
  std::uint32_t version = Keystore::last_version;
  Id connection{};

  std::string encode() const {
    ByteWriter writer;
    writer.u8(phase);
    if (phase == secrets) return writer.raw(connection.bytes()).take();
    return writer.u32(epoch).u32(version).take();
  }
  // What can't be read is a beginning: rows that were wrapped anew are passed over.
  static Cursor parse(std::string_view bytes) {
    ByteReader reader(bytes);
    Cursor cursor;
    cursor.phase = static_cast<Phase>(reader.u8());
    if (cursor.phase == secrets)
      cursor.connection = Id::from_bytes(reader.raw(Id::size));
    else {
      cursor.epoch = reader.u32();
      cursor.version = reader.u32();
    }
    const bool known = cursor.phase == secrets || phase_after(cursor.phase) != the_end || cursor.phase == store_again;
    return known && reader.finish() ? cursor : Cursor();
  }
};

Status Rotation::begin_region(Milliseconds now) {
  ASSIGN_OR_RETURN(const Hierarchy::NextRegionKey next, hierarchy_.make_next_region_key(now));
  ASSIGN_OR_RETURN(const std::uint32_t tenants, keystore_.count_tenants());
  const std::string version = std::to_string(next.row.place.version);
  const Status begun =
      keystore_.begin_rotation({{{}, 0, 0, tenants, now}, {}}, {next.row}, next.rewrapped,
                               event_of("key.rotation_begun", {}, now, {{"scope", "region"}, {"version", version}}));
  if (!begun) return begun.error().kind == ErrorKind::already_exists ? Status(under_way()) : begun;
  return hierarchy_.adopt_region();
}

Status Rotation::begin_root(const RootSeals& seals, Milliseconds now) {
  ASSIGN_OR_RETURN(const std::vector<SealRow> rows, keystore_.seals());
  if (rows.size() < 2) return Error{ErrorKind::denied, "only one seal opens this region: add another one first"};
  ASSIGN_OR_RETURN(const Hierarchy::NextRoot next, hierarchy_.make_next_root(now));
  std::vector<SealRow> wraps;
  for (const SealRow& row : rows) {
    ASSIGN_OR_RETURN(SealRow wrap, seals.rewrapped(row, hierarchy_.root(), next.root.reveal(), next.version));
    wraps.push_back(std::move(wrap));
  }
  ASSIGN_OR_RETURN(const std::uint32_t tenants, keystore_.count_tenants());
  ahead_.discard();  // whoever reads the file meanwhile keeps the old root in its log
  const Status begun =
      keystore_.begin_root_rotation({{{}, 0, 0, tenants, now}, {}}, {next.region.row}, next.region.rewrapped, wraps,
                                    event_of("key.rotation_begun", {}, now,
                                             {{"scope", "root"},
                                              {"root_version", std::to_string(next.version)},
                                              {"version", std::to_string(next.region.row.place.version)}}));
  if (!begun) return begun.error().kind == ErrorKind::already_exists ? Status(under_way()) : begun;
  RETURN_IF_ERROR(hierarchy_.adopt_root(next));  // the file has no other root any more, whatever follows
  if (const Status forgotten = keystore_.forget_replaced(); !forgotten)
    log_warning("keys", "the old root leaves the file's log with the end of the rotation: " + forgotten.error().detail);
  return done();
}

Status Rotation::begin_tenant(Id tenant, Milliseconds now) {
  ASSIGN_OR_RETURN(const KeyRow current, keystore_.newest(tenant, Slot::tenant, 0));
  KeyPlace place = current.place;
  ++place.version;
  const SecretText key = SecretText::random(sealed::key_size);
  std::vector<KeyRow> made;
  {
    ASSIGN_OR_RETURN(const WrappingKey region, hierarchy_.region_key(hierarchy_.region_version()));
    ASSIGN_OR_RETURN(KeyRow row, hierarchy_.wrap(place, key.reveal(), region, now));
    made.push_back(std::move(row));
  }
  const WrappingKey tenant_key{made.front().id, place.version, key.reveal()};
  for (const Slot slot : wrapping_slots) {
    ASSIGN_OR_RETURN(const KeyRow before, keystore_.newest(tenant, slot, 0));
    const KeyPlace next{tenant, slot, 0, before.place.version + 1};
    ASSIGN_OR_RETURN(KeyRow row, hierarchy_.wrap(next, SecretText::random(sealed::key_size).reveal(), tenant_key, now));
    made.push_back(std::move(row));
  }
  std::vector<KeyRow> again;
  ASSIGN_OR_RETURN(const std::vector<KeyRow> purposes, keystore_.purpose_keys(tenant));
  for (const KeyRow& row : purposes) {
    ASSIGN_OR_RETURN(KeyRow rewrapped, hierarchy_.rewrapped(row, tenant_key));
    again.push_back(std::move(rewrapped));
  }
  std::uint64_t total = 0;
  for (const Slot slot : day_slots) {
    ASSIGN_OR_RETURN(const std::uint64_t days, keystore_.count_days(tenant, slot));
    total += days;
  }
  ASSIGN_OR_RETURN(const std::uint64_t secrets, keystore_.count_secrets(tenant));
  const Status begun = keystore_.begin_rotation(
      {{tenant, 0, 0, total + secrets, now}, {}}, made, again,
      event_of("key.rotation_begun", tenant, now, {{"scope", "tenant"}, {"version", std::to_string(place.version)}}));
  if (!begun) return begun.error().kind == ErrorKind::already_exists ? Status(under_way()) : begun;
  ahead_.discard();
  hierarchy_.forget_tenant(tenant);
  return done();
}

Status Rotation::begin_day(Id tenant, std::uint32_t day, Milliseconds now) {
  ASSIGN_OR_RETURN(const KeyRow current, keystore_.newest(tenant, store_slot, day));
  if (current.sealed.empty()) return Error{ErrorKind::not_found, "the key of that day was destroyed"};
  KeyPlace place = current.place;
  ++place.version;
  ASSIGN_OR_RETURN(const KeyRow row, hierarchy_.make(place, now));
  const Status begun = keystore_.begin_rotation(
      {{tenant, day, 0, 0, now}, {}}, {row}, {},
      event_of("key.rotation_begun", tenant, now,
               {{"scope", "day"}, {"day", std::to_string(day)}, {"version", std::to_string(place.version)}}));
  if (!begun) return begun.error().kind == ErrorKind::already_exists ? Status(under_way()) : begun;
  hierarchy_.forget(current.place);
  return done();
}

Status Rotation::end_day(Id tenant, std::uint32_t day, std::uint64_t rows, Milliseconds now) {
  ASSIGN_OR_RETURN(const std::vector<KeyRow> versions, keystore_.versions(tenant, store_slot, day));
  if (versions.empty()) return Error{ErrorKind::not_found, "the key of that day was destroyed"};
  const KeyPlace newest = versions.back().place;
  for (const KeyRow& row : versions) hierarchy_.forget(row.place);
  return keystore_.end_rotation({{tenant, day, 0, 0, 0}, {}}, {newest},
                                event_of("key.rewrap_completed", tenant, now,
                                         {{"scope", "day"},
                                          {"day", std::to_string(day)},
                                          {"version", std::to_string(newest.version)},
                                          {"rows", std::to_string(rows)}}));
}

Result<bool> Rotation::step(Milliseconds now) {
  ASSIGN_OR_RETURN(std::vector<Row> rows, keystore_.rotations());
  for (Row& row : rows) {
    if (row.progress.day != 0) continue;  // the store's work
    return row.progress.tenant.is_none() ? step_region(row, now) : step_tenant(row, now);
  }
  return false;
}

Result<bool> Rotation::step_region(Row& row, Milliseconds now) {
  const std::uint32_t newest = hierarchy_.region_version();
  const Id after = row.cursor.empty() ? Id() : Id::from_bytes(row.cursor);
  ASSIGN_OR_RETURN(std::vector<KeyRow> stale, keystore_.stale_tenants(after, newest, rows_in_a_step_));
  if (stale.empty()) {  // from the beginning once more: whatever the cursor says, nothing may be left behind
    ASSIGN_OR_RETURN(stale, keystore_.stale_tenants(Id(), newest, rows_in_a_step_));
  }
  if (stale.empty()) {
    RETURN_IF_ERROR(keystore_.end_rotation(row, {{{}, Slot::region, 0, newest}},
                                           event_of("key.rewrap_completed", {}, now,
                                                    {{"scope", "region"},
                                                     {"version", std::to_string(newest)},
                                                     {"root_version", std::to_string(hierarchy_.root_version())},
                                                     {"rows", std::to_string(row.progress.done)}})));
    RETURN_IF_ERROR(hierarchy_.adopt_region());
    return true;
  }
  for (KeyRow& each : stale) {
    ASSIGN_OR_RETURN(each, hierarchy_.rewrapped(each));
  }
  row.progress.done += stale.size();
  row.cursor = std::string(stale.back().place.tenant.bytes());
  RETURN_IF_ERROR(keystore_.advance_rotation(row, stale, {}));
  return true;
}

Result<bool> Rotation::step_tenant(Row& row, Milliseconds now) {
  const Id tenant = row.progress.tenant;
  Cursor cursor = Cursor::parse(ahead_.cursor_of(tenant, row.cursor));
  for (;;) {
    ASSIGN_OR_RETURN(const bool worked, cursor.phase == secrets ? step_secrets(row, cursor) : step_days(row, cursor));
    if (worked) return true;
    cursor = {phase_after(cursor.phase)};
    if (cursor.phase == the_end) {
      RETURN_IF_ERROR(end_tenant(row, now));
      return true;
    }
    if (cursor.phase == spool_again || cursor.phase == store_again) {
      // Reads over all days, while others are answered.
      RETURN_IF_ERROR(prepare({tenant, slot_of(cursor.phase), cursor.epoch, cursor.version}));
      ahead_.remember(tenant, cursor.encode());
      return true;
    }
  }
}

Status Rotation::prepare(const KeyPlace& after) {
  RewrapAhead::Task task{region_, after, rows_in_a_step_, {}};
  ASSIGN_OR_RETURN(const std::vector<KeyRow> versions, keystore_.versions(after.tenant, after.slot, 0));
  for (const KeyRow& each : versions) {
    ASSIGN_OR_RETURN(const WrappingKey key, hierarchy_.key(each.place));
    task.versions.push_back({key.id, key.version, SecretText::copy_of(key.key)});
  }
  if (task.versions.empty()) return Error{ErrorKind::not_found, "the keys above the days were destroyed"};
  ahead_.begin(keystore_, std::move(task));
  return done();
}

Result<bool> Rotation::step_days(Row& row, Cursor& cursor) {
  const KeyPlace after{row.progress.tenant, slot_of(cursor.phase), cursor.epoch, cursor.version};
  ASSIGN_OR_RETURN(const WrappingKey newest, hierarchy_.newest(after.tenant, after.slot));
  const Id newest_id = newest.id;
  auto taken = ahead_.take(after, newest_id);
  if (!taken) {
    RETURN_IF_ERROR(prepare(after));
    taken = ahead_.take(after, newest_id);
  }
  if (!taken) return Error{ErrorKind::bug, "what was prepared is not what was asked for"};
  ASSIGN_OR_RETURN(const std::vector<KeyRow> rows, std::move(*taken));
  if (rows.empty()) return false;
  cursor.epoch = rows.back().place.epoch;
  cursor.version = rows.back().place.version;
  RETURN_IF_ERROR(prepare(rows.back().place));
  row.progress.done += rows.size();
  row.cursor = cursor.encode();
  RETURN_IF_ERROR(keystore_.advance_rotation(row, rows, {}));
  ahead_.remember(row.progress.tenant, row.cursor);
  return true;
}

Result<bool> Rotation::step_secrets(Row& row, Cursor& cursor) {
  const Id tenant = row.progress.tenant;
  ASSIGN_OR_RETURN(const WrappingKey newest_view, hierarchy_.newest(tenant, connection_slot));
  const SecretText newest_key = SecretText::copy_of(newest_view.key);
  const WrappingKey newest{newest_view.id, newest_view.version, newest_key.reveal()};
  ASSIGN_OR_RETURN(std::vector<SecretRow> stale,
                   keystore_.stale_secrets(tenant, cursor.connection, newest.version, rows_in_a_step_));
  if (stale.empty() && !cursor.connection.is_none()) {
    ASSIGN_OR_RETURN(stale, keystore_.stale_secrets(tenant, Id(), newest.version, rows_in_a_step_));
  }
  if (stale.empty()) return false;
  for (SecretRow& each : stale) {
    ASSIGN_OR_RETURN(const WrappingKey above, hierarchy_.key({tenant, connection_slot, 0, each.key_version}));
    RETURN_IF_ERROR(rewrap_connection_key(each, region_, above, newest));
  }
  cursor.connection = stale.back().connection;
  row.progress.done += stale.size();
  row.cursor = cursor.encode();
  RETURN_IF_ERROR(keystore_.advance_rotation(row, {}, stale));
  ahead_.remember(tenant, row.cursor);
  return true;
}

Status Rotation::end_tenant(const Row& row, Milliseconds now) {
  const Id tenant = row.progress.tenant;
  ASSIGN_OR_RETURN(const std::uint64_t old_secrets, keystore_.count_unrotatable_secrets(tenant));
  ASSIGN_OR_RETURN(const KeyRow tenant_key, keystore_.newest(tenant, Slot::tenant, 0));
  std::vector<KeyPlace> newest = {tenant_key.place};
  for (const Slot slot : wrapping_slots) {
    // Secrets of format 1 that were not used since still hang from the old connection key.
    if (slot == connection_slot && old_secrets > 0) continue;
    ASSIGN_OR_RETURN(const KeyRow key, keystore_.newest(tenant, slot, 0));
    newest.push_back(key.place);
  }
  // The old keys leave memory first: the file may have lost them even if what follows reports a failure.
  ahead_.discard();
  hierarchy_.forget_tenant(tenant);
  return keystore_.end_rotation(row, newest,
                                event_of("key.rewrap_completed", tenant, now,
                                         {{"scope", "tenant"},
                                          {"version", std::to_string(tenant_key.place.version)},
                                          {"rows", std::to_string(row.progress.done)},
                                          {"secrets_left", std::to_string(old_secrets)}}));
}

Status Rotation::rotate_connection(Id tenant, Id connection, Milliseconds now) {
  ASSIGN_OR_RETURN(SecretRow row, keystore_.secret(tenant, connection));
  if (row.connection_key_version == 0)
    return Error{ErrorKind::unsupported, "the secret is of an older format; it gets a key of its own when it is next used"};
  ASSIGN_OR_RETURN(const WrappingKey above, hierarchy_.key({tenant, connection_slot, 0, row.key_version}));
  ASSIGN_OR_RETURN(const ConnectionKey key, open_connection_key(row, region_, above));
  ASSIGN_OR_RETURN(const SecretText secret, open_secret_of(row, region_, above, key.policy_hash));
  ASSIGN_OR_RETURN(const WrappingKey newest, hierarchy_.newest(tenant, connection_slot));
  seal_secret(row, region_, newest, key.policy_hash, secret.reveal());
  return keystore_.reseal_secret(row, event_of("key.rotated", tenant, now,
                                               {{"scope", "connection"},
                                                {"of_connection", connection.text()},
                                                {"version", std::to_string(row.connection_key_version)}}));
}

}  // namespace mailhold::keys
