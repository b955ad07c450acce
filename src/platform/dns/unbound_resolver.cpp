#include "platform/dns/unbound_resolver.h"

#include <unbound.h>

#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "base/text.h"
#include "platform/dns/record_decoding.h"
#include "platform/net/wait.h"

namespace mailhold::dns {
namespace {

using Clock = std::chrono::steady_clock;

// How often expired questions are looked for while any is open.
constexpr std::chrono::milliseconds expiry_interval{100};
constexpr int class_in = 1;

Status checked(int code, const std::string& attempt) {
  if (code == 0) return done();
  return Error{ErrorKind::invalid_input, "dns: " + attempt + ": " + ub_strerror(code)};
}

bool is_loopback(std::string_view server) {
  const auto address = parse_address(server.substr(0, server.find('@')));
  return address && ((address->size() == 4 && address->front() == 127) || *address == std::string(15, '\0') + '\1');
}

AnswerStatus status_of(const ub_result& result) {
  if (result.bogus != 0) return AnswerStatus::bogus;
  if (result.rcode == 0) return result.havedata != 0 ? AnswerStatus::ok : AnswerStatus::nodata;
  return result.nxdomain != 0 ? AnswerStatus::nxdomain : AnswerStatus::servfail;
}

void take_records(const ub_result& result, RecordType type, Answer& answer) {
  std::size_t bytes = 0;
  for (std::size_t index = 0; result.data[index] != nullptr && answer.records.size() < records_max; ++index) {
    std::optional<Record> record = decode_record(type, {result.data[index], static_cast<std::size_t>(result.len[index])});
    if (!record || (bytes += record->value.size()) > answer_bytes_max) continue;
    answer.records.push_back(std::move(*record));
  }
  std::stable_sort(answer.records.begin(), answer.records.end(),
                   [](const Record& a, const Record& b) { return a.preference < b.preference; });
}

Answer answer_of(int error, const ub_result* result, RecordType type) {
  Answer answer;
  if (error != 0 || result == nullptr) return answer;
  answer.status = status_of(*result);
  answer.secure = result->secure != 0;
  answer.ttl_seconds = static_cast<std::uint32_t>(std::max(result->ttl, 0));
  if (result->canonname != nullptr) answer.canonical_name = normal_name(result->canonname).value_or("");
  if (answer.status != AnswerStatus::ok) return answer;
  take_records(*result, type, answer);
  if (answer.records.empty()) answer.status = AnswerStatus::servfail;  // nothing of it could be read
  return answer;
}

}  // namespace

Result<std::vector<std::string>> read_trust_anchors(const std::string& path) {
  std::ifstream file(path);
  if (!file) return Error{ErrorKind::not_found, "dns: cannot read trust anchors of " + path};
  std::vector<std::string> anchors;
  for (std::string line; std::getline(file, line);) {
    const std::string_view record = trim(std::string_view(line).substr(0, line.find(';')));
    if (!record.empty()) anchors.emplace_back(record);
  }
  return anchors;
}

class UnboundResolver::Engine {
 public:
  explicit Engine(UnboundSettings settings) : settings_(std::move(settings)), context_(ub_ctx_create()) {}

  ~Engine() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
    if (context_ != nullptr) ub_ctx_delete(context_);
    for (auto& [number, open] : open_) open.receiver(Answer());
  }

  Status configure() {
    if (context_ == nullptr) return Error{ErrorKind::unavailable, "dns: libunbound did not start"};
    ub_ctx_debugout(context_, nullptr);  // its messages name what is asked
    RETURN_IF_ERROR(checked(ub_ctx_async(context_, 1), "choosing threads"));
    RETURN_IF_ERROR(set_options());
    RETURN_IF_ERROR(set_servers());
    for (const std::string& anchor : settings_.trust_anchors)
      RETURN_IF_ERROR(checked(ub_ctx_add_ta(context_, anchor.c_str()), "adding a trust anchor"));
    for (const StubZone& stub : settings_.stub_zones) {
      RETURN_IF_ERROR(checked(ub_ctx_set_stub(context_, stub.zone.c_str(), stub.server.c_str(), 0), "adding a stub zone"));
    }
    return open_zones();
  }

  void ask(const Question& question, std::chrono::milliseconds time, Receiver receiver) {
    const std::optional<std::string> name = normal_name(question.name);
    if (!name) return receiver({.status = AnswerStatus::nxdomain});
    std::unique_lock lock(mutex_);
    if (open_.size() >= settings_.outstanding_max) {
      lock.unlock();
      return receiver(Answer());
    }
    const std::uint64_t number = next_number_++;  // what is open may be gone once it is asked
    const auto until = Clock::now() + std::min(time, settings_.question_time_max);
    Open* const open = &open_.emplace(number, Open{this, number, question.type, until, 0, nullptr}).first->second;
    open->receiver = std::move(receiver);
    if (!thread_.joinable()) thread_ = std::jthread([this](const std::stop_token& stop) { hand_out(stop); });
    lock.unlock();
    int async_id = 0;
    const int error = ub_resolve_async(context_, name->c_str(), static_cast<int>(question.type), class_in, open,
                                       &Engine::take_result, &async_id);
    if (error != 0) return finish(number, Answer());
    lock.lock();
    if (const auto found = open_.find(number); found != open_.end()) found->second.async_id = async_id;
    lock.unlock();
    opened_.notify_one();
  }

 private:
  struct Open {
    Engine* engine;
    std::uint64_t number;
    RecordType type;
    Clock::time_point expires_at;
    int async_id;  // 0: not known yet
    Receiver receiver;
  };

  Status set_options() {
    bool any_loopback = std::any_of(settings_.servers.begin(), settings_.servers.end(), is_loopback);
    for (const StubZone& stub : settings_.stub_zones) any_loopback = any_loopback || is_loopback(stub.server);
    const bool has_own_servers = !settings_.servers.empty();
    const std::pair<const char*, const char*> options[] = {
        {"use-syslog:", "no"},
        {"infra-keep-probing:", "yes"},  // a server that was away for a minute must not stay away for fifteen
        {"do-not-query-localhost:", any_loopback ? "no" : "yes"},
        {"unblock-lan-zones:", has_own_servers ? "yes" : "no"},  // servers of one's own may know private addresses
        {"insecure-lan-zones:", has_own_servers ? "yes" : "no"},
    };
    for (const auto& [name, value] : options)
      RETURN_IF_ERROR(checked(ub_ctx_set_option(context_, name, value), std::string("setting ") + name));
    return done();
  }

  Status set_servers() {
    for (const std::string& server : settings_.servers)
      RETURN_IF_ERROR(checked(ub_ctx_set_fwd(context_, server.c_str()), "using server " + server));
    if (settings_.servers.empty() && !settings_.resolv_conf.empty())
      ub_ctx_resolvconf(context_, settings_.resolv_conf.c_str());  // without it: the root servers
    return done();
  }

  // From the first of these on libunbound's settings are final, and all its files are read.
  Status open_zones() {
    RETURN_IF_ERROR(checked(ub_ctx_zone_add(context_, "invalid.", "static"), "opening"));
    if (!settings_.servers.empty()) RETURN_IF_ERROR(checked(ub_ctx_zone_remove(context_, "test."), "opening test."));
    for (const StubZone& stub : settings_.stub_zones)
      RETURN_IF_ERROR(checked(ub_ctx_zone_add(context_, stub.zone.c_str(), "transparent"), "opening a stub zone"));
    for (const std::string& record : settings_.local_records)
      RETURN_IF_ERROR(checked(ub_ctx_data_add(context_, record.c_str()), "adding a local record"));
    return done();
  }

  // Called by libunbound inside ub_process(), so only on the thread that hands out.
  static void take_result(void* data, int error, ub_result* result) {
    const Open* open = static_cast<Open*>(data);
    Engine* engine = open->engine;
    Answer answer = answer_of(error, result, open->type);
    if (result != nullptr) ub_resolve_free(result);
    engine->finish(open->number, std::move(answer));
  }

  void finish(std::uint64_t number, Answer answer) {
    Receiver receiver;
    {
      const std::lock_guard lock(mutex_);
      const auto found = open_.find(number);
      if (found == open_.end()) return;
      receiver = std::move(found->second.receiver);
      open_.erase(found);
    }
    receiver(std::move(answer));
  }

  void hand_out(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      {
        std::unique_lock lock(mutex_);
        if (!opened_.wait(lock, stop, [this] { return !open_.empty(); })) return;
      }
      const Status ready = net::wait_until(ub_fd(context_), net::Ready::to_read, Deadline::after(expiry_interval, stop));
      if (ready) ub_process(context_);
      expire();
    }
  }

  // Cancelled here and nowhere else: so no result can be on its way to a question that is gone.
  void expire() {
    std::vector<Open> expired;
    {
      const std::lock_guard lock(mutex_);
      const auto now = Clock::now();
      for (auto entry = open_.begin(); entry != open_.end();) {
        if (entry->second.expires_at > now || entry->second.async_id == 0) {
          ++entry;
          continue;
        }
        ub_cancel(context_, entry->second.async_id);
        expired.push_back(std::move(entry->second));
        entry = open_.erase(entry);
      }
    }
    for (const Open& open : expired) open.receiver({.status = AnswerStatus::timeout});
  }

  const UnboundSettings settings_;
  ub_ctx* context_;
  std::mutex mutex_;
  std::condition_variable_any opened_;
  std::map<std::uint64_t, Open> open_;  // guarded by mutex_, as is the next; libunbound holds the address of each entry
  std::uint64_t next_number_ = 1;
  std::jthread thread_;
};

Result<std::unique_ptr<UnboundResolver>> UnboundResolver::create(UnboundSettings settings) {
  auto engine = std::make_unique<Engine>(std::move(settings));
  RETURN_IF_ERROR(engine->configure());
  return std::unique_ptr<UnboundResolver>(new UnboundResolver(std::move(engine)));
}

UnboundResolver::UnboundResolver(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
UnboundResolver::~UnboundResolver() = default;

void UnboundResolver::ask(const Question& question, std::chrono::milliseconds time, Receiver receiver) {
  engine_->ask(question, time, std::move(receiver));
}

std::vector<Answer> UnboundResolver::resolve_all(std::span<const Question> questions, const Deadline& deadline) {
  struct Gathering {
    std::mutex mutex;
    std::condition_variable_any arrived;
    std::vector<Answer> answers;
    std::size_t missing = 0;
  };
  const auto gathering = std::make_shared<Gathering>();  // outlives this call if an answer comes after the deadline
  gathering->answers.assign(questions.size(), {.status = AnswerStatus::timeout});
  gathering->missing = questions.size();
  for (std::size_t index = 0; index < questions.size(); ++index) {
    ask(questions[index], deadline.left(), [gathering, index](Answer answer) {
      const std::lock_guard lock(gathering->mutex);
      gathering->answers[index] = std::move(answer);
      if (--gathering->missing == 0) gathering->arrived.notify_all();
    });
  }
  std::unique_lock lock(gathering->mutex);
  gathering->arrived.wait_until(lock, deadline.stop, deadline.at, [&] { return gathering->missing == 0; });
  return gathering->answers;
}

}  // namespace mailhold::dns
