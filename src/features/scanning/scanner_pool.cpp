#include "features/scanning/scanner_pool.h"

#include <condition_variable>
#include <list>
#include <mutex>
#include <optional>

#include "base/dns_answer.h"
#include "base/log.h"
#include "features/scanning/extract_messages.h"
#include "features/scanning/scan_messages.h"
#include "platform/ipc/channel.h"

namespace mailhold::scanning {
namespace {

using Instant = std::chrono::steady_clock::time_point;

struct Worker {
  Id tenant;
  std::uint64_t number;
  std::unique_ptr<ipc::Channel> channel;
  std::uint32_t served = 0;
  Instant idle_since{};
};

constexpr std::uint32_t questions_per_scan_max = 400;
constexpr std::uint32_t frames_per_scan_max = 1000;

// One scan with one worker: sends the message, answers what the worker asks, takes the result. Whatever a
// worker does out of turn ends the conversation; the worker is not used again.
class Conversation {
 public:
  Conversation(Worker& worker, const ScanCall& call, Answers& answers, const Deadline& deadline)
      : worker_(worker), call_(call), answers_(answers), deadline_(deadline) {}

  Result<ScanResult> run() {
    RETURN_IF_ERROR(worker_.channel->send(encode_scan(call_), deadline_));
    for (std::uint32_t frames = 0; frames < frames_per_scan_max; ++frames) {
      ASSIGN_OR_RETURN(const ipc::Frame frame, worker_.channel->receive(deadline_));
      if (!frame.fds.empty()) return Error{ErrorKind::corrupt, "a worker sent a descriptor"};
      ASSIGN_OR_RETURN(const FrameKind kind, kind_of(frame.bytes));
      switch (kind) {
        case FrameKind::scan: return parse_result(frame.bytes, call_.request.content.size(), call_.limits);
        case FrameKind::dns: RETURN_IF_ERROR(answer_questions(frame.bytes)); break;
        case FrameKind::wrap: RETURN_IF_ERROR(answer_urls(frame.bytes)); break;
        case FrameKind::clamd: RETURN_IF_ERROR(answer_clamd()); break;
        case FrameKind::compare:
        case FrameKind::extract:
        case FrameKind::program: return Error{ErrorKind::corrupt, "a worker answers what was not asked"};
      }
    }
    return Error{ErrorKind::corrupt, "a worker asks without end"};
  }

 private:
  Status answer_questions(std::string_view frame) {
    ASSIGN_OR_RETURN(const std::vector<dns::Question> questions, parse_questions(frame));
    asked_ += static_cast<std::uint32_t>(questions.size());
    if (asked_ > questions_per_scan_max) return Error{ErrorKind::corrupt, "a worker asks too many questions"};
    std::vector<dns::Answer> answers = answers_.resolve(questions, deadline_);
    answers.resize(questions.size());
    return worker_.channel->send(encode_answers(answers), deadline_);
  }

  Status answer_urls(std::string_view frame) {
    if (wrapped_) return Error{ErrorKind::corrupt, "a worker asks for links twice"};
    wrapped_ = true;
    ASSIGN_OR_RETURN(const std::vector<std::string> urls, parse_urls(frame));
    std::vector<std::string> wrapped = answers_.wrap(urls, deadline_);
    wrapped.resize(urls.size());
    return worker_.channel->send(encode_urls(wrapped), deadline_);
  }

  Status answer_clamd() {
    if (!call_.request.ask_clamd || clamd_given_) return Error{ErrorKind::corrupt, "a worker asks for clamd out of turn"};
    clamd_given_ = true;
    const Result<int> socket = answers_.connect_clamd(deadline_);
    if (!socket) return worker_.channel->send(encode_clamd(false), deadline_);
    const ipc::OwnedFd owned(*socket);
    const int descriptor = owned.get();
    return worker_.channel->send(encode_clamd(true), std::span<const int>(&descriptor, 1), deadline_);
  }

  Worker& worker_;
  const ScanCall& call_;
  Answers& answers_;
  const Deadline& deadline_;
  std::uint32_t asked_ = 0;
  bool wrapped_ = false, clamd_given_ = false;
};

}  // namespace

class ScannerPool::Workers {
 public:
  Workers(std::unique_ptr<WorkerSource> source, PoolSettings settings) : source_(std::move(source)), settings_(settings) {}

  Result<ScanResult> scan(const ScanRequest& request, Answers& answers, const Deadline& deadline) {
    if (request.content.size() > settings_.limits.message_bytes_max)
      return Error{ErrorKind::limit_exceeded, "the message is bigger than is scanned"};
    count([](PoolCounts& counts) { ++counts.scans; });
    const auto converse = [&](Worker& worker, const Deadline& attempt) {
      const ScanCall call{request, settings_.limits, attempt.left()};
      return Conversation(worker, call, answers, attempt).run();
    };
    ASSIGN_OR_RETURN(std::optional<ScanResult> result, with_worker<ScanResult>(request.tenant, converse, deadline));
    if (result) return std::move(*result);
    count([](PoolCounts& counts) { ++counts.held; });
    log_warning("scanning", "a message ended every worker it was given; it is held");
    ScanResult killed;
    killed.findings.unscannable = true;
    killed.reasons.push_back({"scanner.killed", "The message ended every scanner it was given to."});
    return killed;
  }

  Result<ExtractedText> extract(const Id& tenant, TextForm form, std::string_view content, const Deadline& deadline) {
    if (content.size() > settings_.limits.message_bytes_max)
      return Error{ErrorKind::limit_exceeded, "the message is bigger than is scanned"};
    std::size_t new_workers = 0;
    Status programs = done();
    const auto converse = [&](Worker& worker, const Deadline& attempt) -> Result<ExtractedText> {
      if (worker.served == 0) ++new_workers;
      // What ended the others may be a document; the rest of the message shall have its text.
      const bool reads_documents = new_workers < settings_.attempts_max;
      RETURN_IF_ERROR(worker.channel->send(encode_extract({tenant, form, content, attempt.left(), reads_documents}), attempt));
      return take_text(worker, attempt, programs);
    };
    ASSIGN_OR_RETURN(std::optional<ExtractedText> result, with_worker<ExtractedText>(tenant, converse, deadline));
    if (!programs && programs.error().is_temporary()) return programs.error();
    if (result) return std::move(*result);
    log_warning("scanning", "a message ended every worker it was given; it has no text");
    ExtractedText none;
    none.documents_unread = 1;
    return none;
  }

  Result<Comparison> compare(const CompareRequest& request, const Deadline& deadline) {
    if (std::max(request.backed_up.size(), request.there.size()) > compared_bytes_max)
      return Error{ErrorKind::limit_exceeded, "contents bigger than are compared"};
    const auto converse = [&](Worker& worker, const Deadline& attempt) -> Result<Comparison> {
      RETURN_IF_ERROR(worker.channel->send(encode_compare(request), attempt));
      ASSIGN_OR_RETURN(const ipc::Frame frame, worker.channel->receive(attempt));
      if (!frame.fds.empty()) return Error{ErrorKind::corrupt, "a worker sent a descriptor"};
      return parse_comparison(frame.bytes);
    };
    ASSIGN_OR_RETURN(std::optional<Comparison> result, with_worker<Comparison>(request.tenant, converse, deadline));
    if (result) return std::move(*result);
    log_warning("scanning", "two contents ended every worker they were given; they are not compared");
    return Comparison{.is_readable = false, .is_equal = false, .differences = {}};
  }

  PoolCounts counts() const {
    const std::lock_guard lock(mutex_);
    PoolCounts counts = counts_;
    counts.idle = idle_.size();
    return counts;
  }

 private:
  // The answer of a worker that was asked for text, and until then the programs that it asks for. `programs`: whether they were
  // to be had.
  Result<ExtractedText> take_text(Worker& worker, const Deadline& deadline, Status& programs) {
    for (std::size_t asked = 0; asked <= extract_programs_max; ++asked) {
      ASSIGN_OR_RETURN(const ipc::Frame frame, worker.channel->receive(deadline));
      if (!frame.fds.empty()) return Error{ErrorKind::corrupt, "a worker sent a descriptor"};
      ASSIGN_OR_RETURN(const FrameKind kind, kind_of(frame.bytes));
      if (kind != FrameKind::program) return parse_extracted(frame.bytes);
      const Result<int> program = source_->start_program(deadline);
      if (!program) {
        programs = program.error();
        RETURN_IF_ERROR(worker.channel->send(encode_program(false), deadline));
        continue;
      }
      const ipc::OwnedFd socket(*program);
      const int descriptor = socket.get();
      RETURN_IF_ERROR(worker.channel->send(encode_program(true), std::span<const int>(&descriptor, 1), deadline));
    }
    return Error{ErrorKind::corrupt, "a worker asks for programs without end"};
  }

  // What a conversation with a worker of the tenant comes to; nothing if every worker it was given ended in it.
  template <class Answer, class Converse>
  Result<std::optional<Answer>> with_worker(const Id& tenant, const Converse& converse, const Deadline& deadline) {
    for (std::size_t attempt = 0; attempt < settings_.attempts_max;) {
      ASSIGN_OR_RETURN(Worker worker, check_out(tenant, deadline));
      // A worker that waited in the pool may have died before it saw this message, with its zygote say: that is no mark
      // against the message. Each such one is discarded, so this ends.
      if (worker.served == 0) ++attempt;
      const Deadline attempt_deadline{std::min(deadline.at, std::chrono::steady_clock::now() + settings_.message_time_max),
                                      deadline.stop};
      Result<Answer> result = converse(worker, attempt_deadline);
      if (result) {
        give_back(std::move(worker));
        return std::optional<Answer>(std::move(*result));
      }
      discard(worker, result.error());
      if (deadline.stop.stop_requested()) return Error{ErrorKind::cancelled, "scanning was cancelled"};
      if (deadline.left().count() == 0) return Error{ErrorKind::timed_out, "scanning took too long"};
    }
    return std::optional<Answer>();
  }

  template <class Change>
  void count(Change change) {
    const std::lock_guard lock(mutex_);
    change(counts_);
  }

  // A worker of the tenant: an idle one, or a new one, for which an idle one of another tenant may have to go.
  Result<Worker> check_out(const Id& tenant, const Deadline& deadline) {
    std::unique_lock lock(mutex_);
    std::list<Worker> ended;  // their channels close behind the lock
    end_stale(ended);
    for (;;) {
      if (auto own = take_idle(tenant)) return std::move(*own);
      if (counts_.busy + idle_.size() < settings_.workers_max) break;
      if (!idle_.empty()) {
        ended.splice(ended.end(), idle_, idle_.begin());  // idle the longest
        ++counts_.evicted;
        break;
      }
      const auto wait_until = std::min(deadline.at, std::chrono::steady_clock::now() + std::chrono::milliseconds(200));
      freed_.wait_until(lock, wait_until);
      if (deadline.stop.stop_requested()) return Error{ErrorKind::cancelled, "scanning was cancelled"};
      if (deadline.left().count() == 0) return Error{ErrorKind::timed_out, "no scanner became free in time"};
    }
    ++counts_.busy;
    lock.unlock();
    ended.clear();
    Result<WorkerHandle> started = source_->start_worker(tenant, deadline);
    lock.lock();
    if (!started) {
      --counts_.busy;
      freed_.notify_one();
      return Error{ErrorKind::unavailable, "no scanner could be started: " + started.error().detail};
    }
    ++counts_.started;
    return Worker{tenant, started->number, std::make_unique<ipc::Channel>(ipc::OwnedFd(started->socket))};
  }

  // Under the lock. The one used last: the others may go idle and end.
  std::optional<Worker> take_idle(const Id& tenant) {
    for (auto at = idle_.rbegin(); at != idle_.rend(); ++at) {
      if (at->tenant != tenant) continue;
      Worker worker = std::move(*at);
      idle_.erase(std::next(at).base());
      ++counts_.busy;
      return worker;
    }
    return std::nullopt;
  }

  void end_stale(std::list<Worker>& ended) {
    const Instant oldest = std::chrono::steady_clock::now() - settings_.worker_idle_max;
    while (!idle_.empty() && idle_.front().idle_since < oldest) ended.splice(ended.end(), idle_, idle_.begin());
  }

  void give_back(Worker worker) {
    std::optional<Worker> used_up;  // its channel closes behind the lock, which ends the process
    const std::lock_guard lock(mutex_);
    --counts_.busy;
    if (++worker.served >= settings_.worker_messages_max) {
      ++counts_.recycled;
      used_up = std::move(worker);
    } else {
      worker.idle_since = std::chrono::steady_clock::now();
      idle_.push_back(std::move(worker));
    }
    freed_.notify_one();
  }

  void discard(Worker& worker, const Error& error) {
    worker.channel->close();
    source_->kill_worker(worker.number);
    log_warning("scanning", "worker " + std::to_string(worker.number) +
                                " ended in the middle of a message: " + std::string(name_of(error.kind)));
    const std::lock_guard lock(mutex_);
    --counts_.busy;
    ++counts_.died;
    freed_.notify_one();
  }

  std::unique_ptr<WorkerSource> source_;
  const PoolSettings settings_;
  mutable std::mutex mutex_;
  std::condition_variable freed_;
  std::list<Worker> idle_;  // guarded by mutex_; the one idle the longest first
  PoolCounts counts_;       // guarded by mutex_
};

ScannerPool::ScannerPool(std::unique_ptr<WorkerSource> source, PoolSettings settings)
    : workers_(std::make_unique<Workers>(std::move(source), settings)) {}
ScannerPool::~ScannerPool() = default;

Result<ScanResult> ScannerPool::scan(const ScanRequest& request, Answers& answers, const Deadline& deadline) {
  return workers_->scan(request, answers, deadline);
}
Result<Comparison> ScannerPool::compare(const CompareRequest& request, const Deadline& deadline) {
  return workers_->compare(request, deadline);
}
Result<ExtractedText> ScannerPool::extract(const Id& tenant, TextForm form, std::string_view content, const Deadline& deadline) {
  return workers_->extract(tenant, form, content, deadline);
}
PoolCounts ScannerPool::counts() const { return workers_->counts(); }

}  // namespace mailhold::scanning
