// DirectoryLease: the directory a gateway works with. A newer snapshot replaces it as a whole; when none
// comes, the last one stays good for its lease, so that mail flows on while apid is away.
// Any thread.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>

#include "features/gateway/directory.h"

namespace mailhold::gateway {

class DirectoryLease {
 public:
  explicit DirectoryLease(std::chrono::steady_clock::duration life = std::chrono::hours(48)) : life_(life) {}

  // Nothing before the first snapshot and after the lease: answer 451 then.
  std::shared_ptr<const Directory> current() const;

  // Takes a snapshot as apid sent it. corrupt, invalid_input: the one in force stays.
  Status renew(std::string_view snapshot_bytes);
  void renew(std::shared_ptr<const Directory> directory);
  // apid said that nothing has changed.
  void confirm();

  std::uint64_t version() const;     // 0: none yet
  std::chrono::seconds age() const;  // since it was last renewed or confirmed

 private:
  const std::chrono::steady_clock::duration life_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Directory> directory_;         // guarded by mutex_
  std::chrono::steady_clock::time_point confirmed_{};  // guarded by mutex_
};

}  // namespace mailhold::gateway
