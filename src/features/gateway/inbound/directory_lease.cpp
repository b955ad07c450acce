#include "features/gateway/inbound/directory_lease.h"

namespace mailhold::gateway {

using Now = std::chrono::steady_clock;

std::shared_ptr<const Directory> DirectoryLease::current() const {
  const std::lock_guard lock(mutex_);
  if (!directory_ || Now::now() - confirmed_ > life_) return nullptr;
  return directory_;
}

Status DirectoryLease::renew(std::string_view snapshot_bytes) {
  ASSIGN_OR_RETURN(DirectorySnapshot snapshot, parse_directory(snapshot_bytes));
  ASSIGN_OR_RETURN(Directory directory, Directory::build(std::move(snapshot)));
  renew(std::make_shared<const Directory>(std::move(directory)));
  return done();
}

void DirectoryLease::renew(std::shared_ptr<const Directory> directory) {
  const std::lock_guard lock(mutex_);
  directory_.swap(directory);  // the old one is freed by the caller's argument, outside of the lock
  confirmed_ = Now::now();
}

void DirectoryLease::confirm() {
  const std::lock_guard lock(mutex_);
  confirmed_ = Now::now();
}

std::uint64_t DirectoryLease::version() const {
  const std::lock_guard lock(mutex_);
  return directory_ ? directory_->snapshot().version : 0;
}

std::chrono::seconds DirectoryLease::age() const {
  const std::lock_guard lock(mutex_);
  return directory_ ? std::chrono::duration_cast<std::chrono::seconds>(Now::now() - confirmed_) : std::chrono::seconds(0);
}

}  // namespace mailhold::gateway
