#include "platform/segments/segment_supply.h"

#include <algorithm>

namespace mailhold::segments {

SegmentSupply::SegmentSupply(const SegmentSettings& settings, std::uint64_t number_last)
    : settings_(settings), number_last_(number_last), thread_([this] { run(); }) {}

SegmentSupply::~SegmentSupply() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  thread_.join();
  if (ready_ == nullptr) return;
  std::error_code ignored;  // an empty segment left behind does no harm
  std::filesystem::remove(settings_.folder / segment_file_name(ready_->number()), ignored);
}

Result<std::unique_ptr<WritableSegment>> SegmentSupply::take(std::uint64_t bytes_min) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !wanted_; });
  std::unique_ptr<WritableSegment> segment = std::move(ready_);
  if (segment != nullptr && segment->bytes() < bytes_min) {
    if (Status reserved = segment->reserve(bytes_min); !reserved) return reserved.error();
  }
  if (segment == nullptr) {
    if (std::chrono::steady_clock::now() < next_try_) {
      return Error{ErrorKind::unavailable, "no segment could be made a moment ago"};
    }
    ASSIGN_OR_RETURN(segment, make(std::max(bytes_min, settings_.segment_bytes)));
  }
  wanted_ = true;
  changed_.notify_all();
  return segment;
}

SegmentSupply::Made SegmentSupply::make(std::uint64_t bytes) {
  for (;;) {
    const auto now = static_cast<std::uint64_t>(std::max<Milliseconds>(settings_.clock->now(), 1));
    number_last_ = std::max(number_last_ + 1, now);
    Made made = WritableSegment::create(settings_.folder, number_last_, bytes, settings_.file_mode);
    if (!made && made.error().kind == ErrorKind::already_exists) continue;
    if (!made) next_try_ = std::chrono::steady_clock::now() + settings_.retry_after_failure;
    return made;
  }
}

void SegmentSupply::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return wanted_ || closing_; });
    if (closing_) return;
    lock.unlock();
    Made made = make(settings_.segment_bytes);
    lock.lock();
    if (made) ready_ = std::move(*made);
    wanted_ = false;
    changed_.notify_all();
  }
}

}  // namespace mailhold::segments
