// RowSeal: seals one row about one message under the tenant's day key, so that a copied database
// shows ids and times only. Used for held items here and for the queue above.
// Any thread.
//
// Design: docs/formats/queue.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "core/store/store_keys.h"
#include "formats/sealed/context.h"

namespace mailhold::held {

// Where a row lies: all of it must be the same again for the row to open.
struct RowPlace {
  sealed::Kind kind = sealed::Kind::held;
  Id tenant;
  Id message;
  std::uint32_t day = 0;       // whose key seals it: the day the row was first written
  std::uint64_t revision = 0;  // grows with each writing of the row
  std::string beside = {};     // what else stands in the clear beside it, and must be the same
};

class RowSeal {
 public:
  RowSeal(std::string region, store::StoreKeys& keys) : region_(std::move(region)), keys_(keys) {}
  // unavailable: keyd is away. not_found: the day's key was destroyed, or the tenant was.
  Result<std::string> seal(const RowPlace& place, std::string_view plaintext, const Deadline& deadline) const;
  Result<std::string> open(const RowPlace& place, std::string_view row, const Deadline& deadline) const;  // also corrupt
  // The same in 29 bytes less: of what a row says of itself only the version of its key is there, and the place says the rest.
  Result<std::string> seal_short(const RowPlace& place, std::string_view plaintext, const Deadline& deadline) const;
  Result<std::string> open_short(const RowPlace& place, std::string_view row, const Deadline& deadline) const;

 private:
  sealed::Context context(const RowPlace& place, std::uint32_t key_version) const;
  const std::string region_;
  store::StoreKeys& keys_;
};

}  // namespace mailhold::held
