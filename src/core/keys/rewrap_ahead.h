// RewrapAhead: reads the next day keys of a rotation and seals them anew on a thread of its own, while the step before is
// written; whoever waits for it helps. What it has prepared counts only once a step writes it: a row that was destroyed meanwhile
// stays destroyed, and a batch that nobody asks for any more is dropped. It holds copies of the keys it needs, until take() or
// discard(). Any thread; the keystore must live as long.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "base/secret_text.h"
#include "core/keys/keystore.h"

namespace mailhold::keys {

class RewrapAhead {
 public:
  struct Key {
    Id id{};
    std::uint32_t version = 0;
    SecretText key{};
  };
  struct Task {
    std::string region{};
    KeyPlace after{};  // tenant, slot, and the place behind which to read
    std::uint32_t rows_max = 0;
    std::vector<Key> versions{};  // living ones of the key above, the newest last
  };

  ~RewrapAhead() { discard(); }

  void begin(Keystore& keystore, Task task);  // what was prepared before is dropped
  void wait() const;                          // until the batch is ready, if one is being prepared; helps
  // The batch behind that place under that key; nothing if it was another that was prepared. Waits for it.
  std::optional<Result<std::vector<KeyRow>>> take(const KeyPlace& after, Id newest);
  void discard();  // all of it, and the keys; on return nothing is at work

  // Where the rotation of that tenant stands. Ahead of the cursor in the keystore only over rows that needed nothing.
  void remember(Id tenant, std::string cursor);
  std::string cursor_of(Id tenant, const std::string& stored) const;

 private:
  void drop();

  class Batch;
  struct Prepared {
    KeyPlace after;
    Id newest;
    std::shared_ptr<Batch> batch;
    std::shared_ptr<std::jthread> thread;  // joined by whoever lets go of it last
  };

  mutable std::mutex mutex_;
  std::optional<Prepared> prepared_;
  Id tenant_;
  std::string cursor_;
};

}  // namespace mailhold::keys
