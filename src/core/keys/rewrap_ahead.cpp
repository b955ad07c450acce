#include "core/keys/rewrap_ahead.h"

#include <algorithm>
#include <condition_variable>
#include <system_error>
#include <utility>

#include "core/keys/key_wrapping.h"

namespace mailhold::keys {
namespace {

constexpr std::size_t rows_at_once = 128;  // that one thread takes of a batch

WrappingKey view(const RewrapAhead::Key& key) { return {key.id, key.version, key.key.reveal()}; }

}  // namespace

// One batch, read by one thread and wrapped by all that work on it.
class RewrapAhead::Batch {
 public:
  Batch(Keystore& keystore, Task task) : keystore_(keystore), task_(std::move(task)) {}

  void read() {
    auto rows = keystore_.stale_days(task_.after, task_.versions.back().version, task_.rows_max);
    const std::lock_guard lock(mutex_);
    is_read_ = true;
    if (rows)
      rows_ = std::move(*rows);
    else if (!failure_)
      failure_ = rows.error();
    changed_.notify_all();
  }

  // Until nothing is left and all others that work on it have ended.
  void work() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_read_; });
    while (next_ < rows_.size() && !failure_) {
      const std::size_t begin = next_;
      next_ = std::min(begin + rows_at_once, rows_.size());
      const std::size_t end = next_;
      ++busy_;
      lock.unlock();
      const Status wrapped = wrap(begin, end);
      lock.lock();
      --busy_;
      if (!wrapped && !failure_) failure_ = wrapped.error();
      changed_.notify_all();
    }
    changed_.wait(lock, [this] { return busy_ == 0; });
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    failure_ = Error{ErrorKind::cancelled, "nobody asks for these rows any more"};
  }

  Result<std::vector<KeyRow>> take() {
    const std::lock_guard lock(mutex_);
    if (failure_) return *failure_;
    return std::move(rows_);
  }

 private:
  Status wrap(std::size_t begin, std::size_t end) {
    const WrappingKey newest = view(task_.versions.back());
    for (std::size_t i = begin; i < end; ++i) {
      KeyRow& row = rows_[i];
      const auto above = std::find_if(task_.versions.begin(), task_.versions.end(),
                                      [&row](const Key& key) { return key.version == row.key_version; });
      if (above == task_.versions.end()) return Error{ErrorKind::not_found, "the key above a day key was destroyed"};
      ASSIGN_OR_RETURN(row, rewrap_key(task_.region, row, view(*above), newest));
    }
    return done();
  }

  Keystore& keystore_;
  const Task task_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_read_ = false;
  std::size_t next_ = 0;  // rows before it are taken
  unsigned busy_ = 0;     // threads that wrap rows they have taken
  std::optional<Error> failure_;
  std::vector<KeyRow> rows_;
};

void RewrapAhead::begin(Keystore& keystore, Task task) {
  drop();
  Prepared prepared{task.after, task.versions.back().id, nullptr, nullptr};
  prepared.batch = std::make_shared<Batch>(keystore, std::move(task));
  try {
    prepared.thread = std::make_shared<std::jthread>([batch = prepared.batch] {
      batch->read();
      batch->work();
    });
  } catch (const std::system_error&) {
    prepared.batch->read();  // no thread is to be had: whoever waits for the batch wraps it alone
  }
  const std::lock_guard lock(mutex_);
  prepared_ = std::move(prepared);
}

void RewrapAhead::wait() const {
  std::optional<Prepared> prepared;
  {
    const std::lock_guard lock(mutex_);
    prepared = prepared_;
  }
  if (prepared) prepared->batch->work();
}

std::optional<Result<std::vector<KeyRow>>> RewrapAhead::take(const KeyPlace& after, Id newest) {
  std::optional<Prepared> prepared;
  {
    const std::lock_guard lock(mutex_);
    prepared = std::exchange(prepared_, std::nullopt);
  }
  if (!prepared) return std::nullopt;
  prepared->batch->work();
  if (prepared->after != after || prepared->newest != newest) return std::nullopt;
  return prepared->batch->take();
}

void RewrapAhead::drop() {
  std::optional<Prepared> prepared;
  {
    const std::lock_guard lock(mutex_);
    std::swap(prepared, prepared_);
  }
  if (!prepared) return;
  prepared->batch->stop();
  prepared->batch->work();
}

void RewrapAhead::discard() {
  drop();
  const std::lock_guard lock(mutex_);
  tenant_ = {};
  cursor_.clear();
}

void RewrapAhead::remember(Id tenant, std::string cursor) {
  const std::lock_guard lock(mutex_);
  tenant_ = tenant;
  cursor_ = std::move(cursor);
}

std::string RewrapAhead::cursor_of(Id tenant, const std::string& stored) const {
  const std::lock_guard lock(mutex_);
  return tenant_ == tenant && !cursor_.empty() ? cursor_ : stored;
}

}  // namespace mailhold::keys
