#include "platform/segments/segment_writer.h"

#include <atomic>
#include <charconv>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "base/log.h"
#include "platform/segments/record_format.h"
#include "platform/segments/segment_supply.h"
#include "platform/segments/writable_segment.h"

namespace mailhold::segments {
namespace {

namespace fs = std::filesystem;

std::uint64_t highest_number(const fs::path& folder) {
  std::uint64_t highest = 0;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(folder, failure)) {
    const std::string name = entry.path().stem().string();
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number, 16);
    if (parsed.ec == std::errc() && segment_file_name(number) == entry.path().filename()) highest = std::max(highest, number);
  }
  return highest;
}

std::uint64_t bytes_of(const NewRecord& record) { return record.head.size() + record.body.size(); }

struct Group {
  std::vector<NewRecord> records;
  SegmentWriter::GroupCallback callback;
  std::vector<Location> locations{};
  std::optional<Error> failure{};
  std::uint64_t bytes = 0;
};

// What is written but not yet flushed. Owns the headers the pieces point to.
struct Pending {
  std::deque<RecordHeader> headers;
  std::vector<iovec> pieces;
  std::vector<std::pair<Group*, std::size_t>> records;  // the group, and which of its locations
  std::uint64_t bytes = 0;
};

class GroupCommit final : public SegmentWriter {
 public:
  explicit GroupCommit(const SegmentSettings& settings)
      : settings_(settings), supply_(settings, highest_number(settings.folder)), thread_([this] { run(); }) {}

  ~GroupCommit() override {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  Status append(NewRecord record, Callback callback) override {
    std::vector<NewRecord> records;
    records.push_back(std::move(record));
    return append_group(std::move(records), [callback = std::move(callback)](Result<std::vector<Location>> outcome) {
      if (outcome) return callback(outcome->front());
      callback(outcome.error());
    });
  }

  Status append_group(std::vector<NewRecord> records, GroupCallback callback) override {
    if (records.empty()) return Error{ErrorKind::invalid_input, "no record to append"};
    std::uint64_t bytes = 0;
    for (const NewRecord& record : records) {
      if (record.type == 0) return Error{ErrorKind::invalid_input, "a record needs a type"};
      if (bytes_of(record) > settings_.record_bytes_max) return Error{ErrorKind::limit_exceeded, "record too large"};
      bytes += bytes_of(record) + record_header_bytes;
    }
    {
      const std::lock_guard lock(mutex_);
      if (closing_) return Error{ErrorKind::cancelled, "the segment writer is closing"};
      // An empty queue takes anything, so that the limit never refuses a group for good.
      if (queued_bytes_ > 0 && queued_bytes_ + bytes > settings_.queue_bytes_max) {
        return Error{ErrorKind::limit_exceeded, "too much waits for the disk"};
      }
      queued_bytes_ += bytes;
      queue_.push_back(Group{std::move(records), std::move(callback), {}, {}, bytes});
      if (is_gathering_) return done();  // it will look by itself
    }
    wake_.notify_one();
    return done();
  }

  Position watermark() const override {
    const std::lock_guard lock(mutex_);
    return watermark_;
  }
  Counts counts() const override {
    const std::lock_guard lock(mutex_);
    return counts_;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return closing_ || !queue_.empty(); });
      if (queue_.empty()) return;
      gather(lock);
      std::vector<Group> batch = std::move(queue_);
      queue_.clear();
      lock.unlock();
      began_ = std::chrono::steady_clock::now();
      had_company_ = batch.size() > 1;
      const std::uint64_t bytes = commit(batch);
      batch.clear();
      lock.lock();
      queued_bytes_ -= bytes;
    }
  }

  void gather(std::unique_lock<std::mutex>& lock) {
    if (!had_company_ && queue_.size() == 1) return;
    is_gathering_ = true;
    wake_.wait_until(lock, began_ + settings_.gather, [this] { return closing_; });
    is_gathering_ = false;
  }

  std::uint64_t commit(std::vector<Group>& batch) {
    std::uint64_t bytes = 0;
    for (Group& group : batch) {
      bytes += group.bytes;
      group.locations.resize(group.records.size());
      for (std::size_t i = 0; i < group.records.size() && !group.failure; ++i) {
        if (Status placed = place(group, i); !placed) group.failure = placed.error();
      }
    }
    flush();
    for (Group& group : batch) {
      if (group.failure)
        group.callback(*group.failure);
      else
        group.callback(std::move(group.locations));
    }
    return bytes;
  }

  bool needs_preamble(const NewRecord& record) const {
    return record.preamble != nullptr && !preambles_.contains(record.preamble->name);
  }

  // Puts a record, after its preamble, behind what is pending; begins a new segment if it does not fit.
  Status place(Group& group, std::size_t index) {
    const NewRecord& record = group.records[index];
    // The preamble is counted even if this segment has it, since the next one will not.
    const std::uint64_t needed =
        record_bytes(bytes_of(record)) + (record.preamble ? record_bytes(record.preamble->payload.size()) : 0);
    if (segment_ != nullptr && segment_->written() + pending_.bytes + needed > segment_->bytes()) {
      flush();
      end_segment();
    }
    if (segment_ == nullptr) {
      ASSIGN_OR_RETURN(segment_, supply_.take(needed));
    }
    if (needs_preamble(record)) {
      add(record.preamble->type, record.preamble->payload, {});
      preambles_.insert(record.preamble->name);
    }
    group.locations[index] = add(record.type, record.head, record.body);
    pending_.records.emplace_back(&group, index);
    return done();
  }

  Location add(std::uint16_t type, const std::string& head, const std::string& body) {
    static constexpr std::array<char, 8> zeros{};
    const std::uint64_t offset = segment_->written() + pending_.bytes;
    const std::uint64_t length = head.size() + body.size();
    pending_.headers.push_back(make_header(segment_->number(), offset, type, head, body));
    const auto piece = [this](std::string_view bytes) {
      if (!bytes.empty()) pending_.pieces.push_back({const_cast<char*>(bytes.data()), bytes.size()});
    };
    piece({pending_.headers.back().data(), record_header_bytes});
    piece(head);
    piece(body);
    piece({zeros.data(), static_cast<std::size_t>(record_bytes(length) - record_header_bytes - length)});
    pending_.bytes += record_bytes(length);
    return Location{segment_->number(), offset, static_cast<std::uint32_t>(length), 0};
  }

  // Makes what is pending durable, or marks every group in it as failed and gives the segment up.
  void flush() {
    if (pending_.records.empty()) return;
    Status outcome = segment_->write(std::move(pending_.pieces));
    if (outcome) outcome = segment_->flush();
    for (const auto& [group, index] : pending_.records) {
      if (outcome)
        group->locations[index].synced_to = segment_->written();
      else
        group->failure = outcome.error();
    }
    note(outcome);
    pending_ = Pending();
    if (!outcome) {
      log_error("segments", outcome.error().detail);
      end_segment();
    }
  }

  void note(const Status& outcome) {
    const std::lock_guard lock(mutex_);
    if (!outcome) {
      ++counts_.failures;
      return;
    }
    ++counts_.flushes;
    counts_.records += pending_.records.size();
    watermark_ = {segment_->number(), segment_->written()};
  }

  void end_segment() {
    segment_.reset();
    preambles_.clear();
  }

  const SegmentSettings settings_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Group> queue_;
  std::uint64_t queued_bytes_ = 0;  // including the batch that is being committed
  Position watermark_;
  Counts counts_;
  bool closing_ = false;
  bool is_gathering_ = false;

  // The committer's own:
  SegmentSupply supply_;
  std::chrono::steady_clock::time_point began_{};  // the last commit
  bool had_company_ = false;                       // it covered several groups
  std::unique_ptr<WritableSegment> segment_;
  std::set<std::string> preambles_;
  Pending pending_;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::open(const SegmentSettings& settings) {
  std::error_code failure;
  if (!fs::is_directory(settings.folder, failure)) {
    return Error{ErrorKind::invalid_input, "no folder for segments: " + settings.folder.string()};
  }
  return std::unique_ptr<SegmentWriter>(new GroupCommit(settings));
}

Result<std::vector<Location>> SegmentWriter::append_and_wait(std::vector<NewRecord> records, const Deadline& deadline) {
  struct Outcome {
    std::mutex mutex;
    std::condition_variable_any arrived;
    std::optional<Result<std::vector<Location>>> result;
  };
  auto outcome = std::make_shared<Outcome>();
  RETURN_IF_ERROR(append_group(std::move(records), [outcome](Result<std::vector<Location>> result) {
    const std::lock_guard lock(outcome->mutex);
    outcome->result = std::move(result);
    outcome->arrived.notify_all();
  }));
  std::unique_lock lock(outcome->mutex);
  const auto is_there = [&outcome] { return outcome->result.has_value(); };
  if (!outcome->arrived.wait_until(lock, deadline.stop, deadline.at, is_there)) {
    if (deadline.stop.stop_requested()) return Error{ErrorKind::cancelled, "waiting for the disk"};
    return Error{ErrorKind::timed_out, "waiting for the disk"};
  }
  return std::move(*outcome->result);
}

}  // namespace mailhold::segments
