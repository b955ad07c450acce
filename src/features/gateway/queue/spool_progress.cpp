#include "features/gateway/queue/spool_progress.h"

namespace mailhold::queue {

void SpoolProgress::seen(std::uint64_t segment) {
  const std::lock_guard lock(mutex_);
  ++segments_[segment].seen;
}

void SpoolProgress::settled(std::uint64_t segment) {
  const std::lock_guard lock(mutex_);
  ++segments_[segment].settled;
}

void SpoolProgress::kept(std::uint64_t segment) {
  const std::lock_guard lock(mutex_);
  ++segments_[segment].kept;
}

void SpoolProgress::pin(std::uint64_t segment) {
  const std::lock_guard lock(mutex_);
  segments_[segment].is_pinned = true;
}

void SpoolProgress::passed(std::uint64_t segment) {
  const std::lock_guard lock(mutex_);
  segments_[segment].is_passed = true;
}

std::vector<std::uint64_t> SpoolProgress::removable() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, segment] : segments_) {
    const bool is_done = segment.settled >= segment.seen && segment.kept >= segment.seen;
    if (segment.is_passed && !segment.is_pinned && is_done) numbers.push_back(number);
  }
  return numbers;
}

bool SpoolProgress::has(std::uint64_t segment) const {
  const std::lock_guard lock(mutex_);
  return segments_.contains(segment);
}

void SpoolProgress::removed(std::uint64_t segment) {
  const std::lock_guard lock(mutex_);
  segments_.erase(segment);
}

}  // namespace mailhold::queue
