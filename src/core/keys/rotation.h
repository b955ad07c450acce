// Rotation: replaces a key and wraps anew what hangs from the old one, in small steps beside other work. Every step is one
// transaction with the cursor behind it, so that a kill at any moment loses nothing and the next process goes on. Old
// versions open what they wrapped until the end, when nothing hangs from them any more; then they are destroyed.
//   root:   a new root in all seals, and a new region key; the old root is gone at once, then as for the region.
//   region: a new region key; all tenants' keys under it.
//   tenant: a new tenant key; new keys of the purposes that wrap others (connection, spool, store); all its day keys and
//           connection keys under those. Keys that rows of other rooms are sealed under stay, wrapped anew.
//   day:    a new key of one day of the store. What it wraps lies in the store, which rewraps it and says when it is done.
// One thread at a time: KeyService holds the lock.
//
// Design: docs/formats/keystore.md, "Rotation"
#pragma once

#include "core/keys/hierarchy.h"
#include "core/keys/keystore.h"
#include "core/keys/rewrap_ahead.h"
#include "core/keys/root_seals.h"

namespace mailhold::keys {

class Rotation {
 public:
  // `rows_in_a_step` are one transaction: other questions to keyd wait so long. `ahead` outlives this object: what one step
  // has begun the next one takes.
  Rotation(Keystore& keystore, Hierarchy& hierarchy, RewrapAhead& ahead, std::string region, std::uint32_t rows_in_a_step)
      : keystore_(keystore), hierarchy_(hierarchy), ahead_(ahead), region_(std::move(region)), rows_in_a_step_(rows_in_a_step) {}

  // already_exists while one of that scope is under way; not_found for an unknown tenant or a day without a key.
  Status begin_region(Milliseconds now);
  // As RootSeals::rewrapped, and denied with fewer than two seals: nothing is changed then.
  Status begin_root(const RootSeals& seals, Milliseconds now);
  Status begin_tenant(Id tenant, Milliseconds now);
  Status begin_day(Id tenant, std::uint32_t day, Milliseconds now);
  // The store has wrapped everything of that day anew: `rows` is for the record. not_found without such a rotation.
  Status end_day(Id tenant, std::uint32_t day, std::uint64_t rows, Milliseconds now);

  // One step of the oldest rotation of a region or tenant. False: there was none. Waits for what is prepared ahead: wait for
  // that before, without the lock.
  Result<bool> step(Milliseconds now);

  // The connection's own key: done at once. not_found without a secret; unsupported for one of format 1 that was not used
  // since, whose policy nobody here knows.
  Status rotate_connection(Id tenant, Id connection, Milliseconds now);

 private:
  using Row = Keystore::RotationRow;
  Result<bool> step_region(Row& row, Milliseconds now);
  Result<bool> step_tenant(Row& row, Milliseconds now);
  struct Cursor;
  Result<bool> step_days(Row& row, Cursor& cursor);
  Result<bool> step_secrets(Row& row, Cursor& cursor);
  Status prepare(const KeyPlace& after);
  Status end_tenant(const Row& row, Milliseconds now);

  Keystore& keystore_;
  Hierarchy& hierarchy_;
  RewrapAhead& ahead_;
  const std::string region_;
  const std::uint32_t rows_in_a_step_;
};

}  // namespace mailhold::keys
