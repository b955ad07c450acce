#include "features/recover/keeping_queue.h"

#include <gtest/gtest.h>

#include "fakes/passing_store.h"
#include "fakes/recover_fixture.h"

namespace mailhold::recover {
namespace {

// A store that waits with the first batch until it is told to go on, and notes which batches came in haste.
class HeldStore final : public store::PassingStore {
 public:
  using PassingStore::PassingStore;
  Result<std::vector<store::Kept>> keep(const std::vector<store::NewMessage>& messages, const Deadline& deadline) override {
    {
      std::unique_lock lock(mutex_);
      in_haste_.push_back(messages.front().in_haste);
      changed_.notify_all();
      changed_.wait(lock, [this] { return goes_on_; });
    }
    return PassingStore::keep(messages, deadline);
  }
  void await_batches(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return in_haste_.size() >= count; });
  }
  void go_on() {
    const std::lock_guard lock(mutex_);
    goes_on_ = true;
    changed_.notify_all();
  }
  std::vector<bool> in_haste() {
    const std::lock_guard lock(mutex_);
    return in_haste_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool goes_on_ = false;
  std::vector<bool> in_haste_;
};

class KeepingQueueTest : public RecoverFixture {
 protected:
  static std::vector<KeepingQueue::Content> batch(const std::string& subject) {
    return {{subject, mailboxes::ContentForm::mime, letter(subject)}};
  }
};

TEST_F(KeepingQueueTest, is_in_haste_only_where_more_comes_than_one_thread_keeps) {
  HeldStore held(*store);
  ContentKeeper keeper(held, keys, *book, tenant, now);
  KeepingQueue queue(keeper);
  ASSERT_TRUE(queue.give(batch("alone"), soon()));
  held.await_batches(1);
  ASSERT_TRUE(queue.give(batch("beside it"), soon()));
  held.await_batches(2);
  held.go_on();
  std::vector<KeepingQueue::Kept> kept;
  ASSERT_TRUE(queue.finish(kept));
  ASSERT_TRUE(queue.give(batch("alone again"), soon()));
  ASSERT_TRUE(queue.finish(kept));
  EXPECT_EQ(held.in_haste(), (std::vector<bool>{false, true, false}));
}

}  // namespace
}  // namespace mailhold::recover
