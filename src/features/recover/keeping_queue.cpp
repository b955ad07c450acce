#include "features/recover/keeping_queue.h"

namespace mailhold::recover {

KeepingQueue::KeepingQueue(ContentKeeper& keeper) : keeper_(keeper) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

KeepingQueue::~KeepingQueue() {
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
  }
  changed_.notify_all();
  for (std::thread& each : threads_) each.join();
}

// The keeper's calls end by the deadline they were given, so that waiting for them needs none.
Status KeepingQueue::give(std::vector<Content> batch, const Deadline& deadline) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return failure_ || waiting_.size() < waiting_max; });
  if (failure_) return *failure_;
  waiting_.push_back({std::move(batch), deadline});
  changed_.notify_all();
  return done();
}

std::vector<KeepingQueue::Kept> KeepingQueue::take_kept() {
  const std::lock_guard lock(mutex_);
  return std::exchange(kept_, {});
}

Status KeepingQueue::finish(std::vector<Kept>& rest) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return at_work_ == 0 && (failure_ || waiting_.empty()); });
  rest = std::exchange(kept_, {});
  return failure_ ? Status(*failure_) : done();
}

void KeepingQueue::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return is_closing_ || (!failure_ && !waiting_.empty()); });
    if (is_closing_) return;
    const Batch batch = std::move(waiting_.front());
    waiting_.pop_front();
    const bool in_haste = at_work_ > 0 || !waiting_.empty();
    ++at_work_;
    lock.unlock();
    changed_.notify_all();
    auto kept = keeper_.keep(batch.contents, batch.deadline, in_haste);
    lock.lock();
    --at_work_;
    if (kept) {
      for (std::size_t i = 0; i < kept->size(); ++i) kept_.push_back({batch.contents[i].id, batch.contents[i].form, (*kept)[i]});
    } else {
      if (!failure_) failure_ = kept.error();
      waiting_.clear();
    }
    changed_.notify_all();
  }
}

}  // namespace mailhold::recover
