#include "features/scanning/worker.h"

#include <sys/time.h>

#include <algorithm>
#include <optional>

#include "base/dns_answer.h"
#include "base/log.h"
#include "features/scanning/document_program.h"
#include "features/scanning/extract_messages.h"
#include "features/scanning/scan_messages.h"
#include "platform/dns/answer_cache.h"

namespace mailhold::scanning {
namespace {

constexpr std::chrono::milliseconds idle_max{24 * 3600 * 1000};
constexpr std::chrono::milliseconds answer_max{60'000};
constexpr std::size_t kept_answers_max = 256;
constexpr std::chrono::milliseconds document_time_max{12'000};  // for one; a program has less by itself

// SIGPROF ends the process when this much CPU is used; zero: no limit.
void limit_cpu(std::chrono::seconds limit) {
  itimerval timer{};
  timer.it_value.tv_sec = limit.count();
  ::setitimer(ITIMER_PROF, &timer, nullptr);
}

// Asks the gateway, which answers each frame with one of the same kind.
class AnswersOverChannel final : public Answers {
 public:
  AnswersOverChannel(ipc::Channel& channel, dns::AnswerCache& cache) : channel_(channel), cache_(cache) {}

  // Only what the tenant's earlier mail did not ask already: each question costs two changes of process.
  std::vector<dns::Answer> resolve(std::span<const dns::Question> questions, const Deadline& deadline) override {
    std::vector<dns::Answer> out(questions.size());
    std::vector<dns::Question> open;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < questions.size(); ++i) {
      if (std::optional<dns::Answer> kept = cache_.find(questions[i])) {
        out[i] = std::move(*kept);
      } else {
        open.push_back(questions[i]);
        places.push_back(i);
      }
    }
    if (open.empty()) return out;
    std::vector<dns::Answer> answers = ask_for(open, deadline);
    for (std::size_t i = 0; i < open.size(); ++i) {
      if (!answers[i].is_temporary_failure()) cache_.keep(open[i], answers[i]);  // failures the gateway keeps, for its time
      out[places[i]] = std::move(answers[i]);
    }
    return out;
  }

  std::vector<std::string> wrap(std::span<const std::string> urls, const Deadline& deadline) override {
    const auto reply = ask(encode_urls(urls), deadline);
    auto wrapped = reply ? parse_urls(reply->bytes) : Result<std::vector<std::string>>(reply.error());
    std::vector<std::string> out = wrapped ? std::move(*wrapped) : std::vector<std::string>();
    out.resize(urls.size());
    return out;
  }

  Result<int> connect_clamd(const Deadline& deadline) override {
    auto reply = ask(encode_clamd(true), deadline);
    if (!reply) return reply.error();
    if (reply->fds.size() != 1) return Error{ErrorKind::unavailable, "clamd is away"};
    return reply->fds.front().release();
  }

  bool failed() const { return failed_; }

 private:
  std::vector<dns::Answer> ask_for(std::span<const dns::Question> questions, const Deadline& deadline) {
    const auto reply = ask(encode_questions(questions), deadline);
    auto answers = reply ? parse_answers(reply->bytes) : Result<std::vector<dns::Answer>>(reply.error());
    std::vector<dns::Answer> out = answers ? std::move(*answers) : std::vector<dns::Answer>();
    out.resize(questions.size());
    return out;
  }

  Result<ipc::Frame> ask(const std::string& frame, const Deadline& deadline) {
    if (failed_) return Error{ErrorKind::unavailable, "the gateway is away"};
    Status sent = channel_.send(frame, deadline);
    if (!sent) {
      failed_ = true;
      return sent.error();
    }
    Result<ipc::Frame> reply = channel_.receive(deadline);
    failed_ = !reply;
    return reply;
  }

  ipc::Channel& channel_;
  dns::AnswerCache& cache_;
  bool failed_ = false;
};

bool compare_one(ipc::Channel& channel, std::string_view frame, const Id& tenant, const WorkerSettings& settings) {
  const auto request = parse_compare(frame);
  if (!request || request->tenant != tenant) return false;
  limit_cpu(settings.cpu_max);
  const Comparison comparison = compare_contents(*request);
  limit_cpu(std::chrono::seconds(0));
  return bool(channel.send(encode_comparison(comparison), Deadline::after(answer_max)));
}

// Asks for a program for each document. All of them together take two thirds of the message's time at most, so that the rest of
// it still gets its text in time.
class ProgramsOverChannel final : public DocumentPrograms {
 public:
  ProgramsOverChannel(ipc::Channel& channel, std::chrono::milliseconds time_left)
      : channel_(channel), deadline_(Deadline::after(time_left * 2 / 3)) {}

  DocumentText read_pdf(std::string_view document, std::size_t bytes_max) override {
    if (failed_ || deadline_.left().count() == 0) return {};
    Result<ipc::Frame> reply = channel_.send(encode_program(true), deadline_) ? channel_.receive(deadline_)
                                                                              : Result<ipc::Frame>(Error{ErrorKind::unavailable});
    failed_ = !reply;
    if (!reply || reply->fds.size() != 1) return {};
    const Deadline deadline = Deadline::after(std::min(deadline_.left(), document_time_max));
    return read_by_program(std::move(reply->fds.front()), document, bytes_max, deadline);
  }

  bool failed() const { return failed_; }

 private:
  ipc::Channel& channel_;
  const Deadline deadline_;
  bool failed_ = false;  // workerd is away
};

// False when the worker must end, as below.
bool serve_extract(ipc::Channel& channel, std::string_view frame, const Id& tenant, const WorkerSettings& settings) {
  const auto call = parse_extract(frame);
  if (!call || call->tenant != tenant) return false;
  limit_cpu(settings.cpu_max);
  ProgramsOverChannel programs(channel, call->time_left);
  const ExtractedText text = extract_text(call->form, call->content, call->reads_documents ? &programs : nullptr);
  limit_cpu(std::chrono::seconds(0));
  return !programs.failed() && bool(channel.send(encode_extracted(text), Deadline::after(call->time_left)));
}

// False when the worker must end.
bool serve_one(ipc::Channel& channel, const Id& tenant, dns::AnswerCache& cache, const WorkerSettings& settings) {
  auto frame = channel.receive(Deadline::after(idle_max));
  if (!frame) return false;
  const auto kind = kind_of(frame->bytes);
  if (kind && *kind == FrameKind::compare) return compare_one(channel, frame->bytes, tenant, settings);
  if (kind && *kind == FrameKind::extract) return serve_extract(channel, frame->bytes, tenant, settings);
  auto call = parse_scan(frame->bytes);
  if (!call || call->request.tenant != tenant) return false;
  limit_cpu(settings.cpu_max);
  AnswersOverChannel answers(channel, cache);
  const Deadline deadline = Deadline::after(call->time_left);
  const ScanResult result = scan_message(call->request, answers, deadline, call->limits);
  limit_cpu(std::chrono::seconds(0));
  return !answers.failed() && bool(channel.send(encode_result(result), deadline));
}

}  // namespace

void serve_worker(ipc::OwnedFd socket, const Id& tenant, const WorkerSettings& settings) {
  ipc::Channel channel(std::move(socket));
  dns::AnswerCache cache(kept_answers_max, system_clock());
  for (std::uint32_t served = 0; served < settings.messages_max; ++served) {
    if (!serve_one(channel, tenant, cache, settings)) return;
  }
}

}  // namespace mailhold::scanning
