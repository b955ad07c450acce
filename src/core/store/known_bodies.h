// KnownBodies: what the last encoded bodies decode to, some 20,000 of them, so that an attachment that comes again is not decoded
// to learn which part it is. Bodies are told apart by a keyed hash (GMAC) under a random key that never leaves this object:
// without it two of one hash cannot be made. By tenant: a body that came to another one is not known. Any thread. Internal to
// this room.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/id.h"
#include "base/secret_text.h"
#include "core/store/base64_lines.h"

namespace mailhold::store {

struct KnownBody {
  Base64Lines lines;
  std::size_t bytes = 0;  // decoded
  std::string sha256;     // of the decoded bytes
};

class KnownBodies {
 public:
  static constexpr std::size_t body_bytes_min = 16U << 10;  // below, the key costs what the hash saves
  explicit KnownBodies(std::size_t bytes_min = body_bytes_min);

  // What a body is known by here; empty for one that is too small.
  std::string name(Id tenant, std::string_view body) const;
  std::optional<KnownBody> find(const std::string& name) const;
  void add(const std::string& name, KnownBody body);
  void clear();

 private:
  const std::size_t bytes_min_;
  const SecretText key_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, KnownBody> bodies_;  // guarded by mutex_
};

}  // namespace mailhold::store
