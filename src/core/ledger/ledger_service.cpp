#include "core/ledger/ledger_service.h"

#include "base/log.h"
#include "platform/ipc/messages.h"

namespace mailhold::ledger {
namespace {

constexpr Milliseconds heads_interval = 60'000;
const Error not_yet{ErrorKind::unavailable, "ledger: waiting for its signing key; the region may be sealed"};

}  // namespace

bool may_call(std::string_view role, Method method) {
  switch (method) {
    case Method::append: return role == "brokerd" || role == "apid";
    case Method::head_proof:
    case Method::checkpoint:
    case Method::key: return role == "brokerd" || role == "apid" || role == "keyd";
    case Method::witness_tasks:
    case Method::witness_outcome: return role == "gossipd";
  }
  return false;
}

LedgerService::~LedgerService() {
  minutes_.request_stop();
  if (minutes_.joinable()) minutes_.join();
}

void LedgerService::use(std::unique_ptr<Log> log, WitnessSettings witnesses) {
  const std::scoped_lock lock(mutex_);
  log_ = std::move(log);
  witnesses_ = std::make_unique<Witnesses>(std::move(witnesses), *log_, clock_);
  minutes_ = std::jthread([this](const std::stop_token& stop) { write_heads_each_minute(stop); });
}

Log* LedgerService::log() const {
  const std::scoped_lock lock(mutex_);
  return log_.get();
}

Witnesses* LedgerService::witnesses() const {
  const std::scoped_lock lock(mutex_);
  return witnesses_.get();
}

void LedgerService::handle(const std::shared_ptr<ipc::Call>& call) {
  if (call->method() == ipc::method_api) {
    if (call->peer != "apid") return call->fail(Error{ErrorKind::denied, "not for " + call->peer});
    return call->answer(api(call->body()));
  }
  ask(call->peer, call->method(), call->body(), [call](const Result<std::string>& answer) { call->answer(answer); });
}

void LedgerService::ask(std::string_view role, std::uint16_t method_number, std::string_view body, Answer answer) {
  const auto method = static_cast<Method>(method_number);
  if (!may_call(role, method)) {
    log_warning("ledger", std::string(role) + " asked for what it may not have, method " + std::to_string(method_number));
    return answer(Error{ErrorKind::denied, "not for " + std::string(role)});
  }
  if (log() == nullptr) return answer(not_yet);
  if (method == Method::witness_tasks || method == Method::witness_outcome) return answer(answer_witness_carrier(method, body));
  if (method != Method::append) return answer(answer_question(method, body));
  auto append = parse_append(body);
  if (!append) return answer(append.error());
  log()->submit(std::move(*append), [answer = std::move(answer)](const Result<Receipt>& receipt) {
    answer(receipt ? Result<std::string>(receipt->encode()) : Result<std::string>(receipt.error()));
  });
}

Result<std::string> LedgerService::answer_witness_carrier(Method method, std::string_view body) {
  if (method == Method::witness_tasks) return encode(witnesses()->tasks());
  ASSIGN_OR_RETURN(const WitnessOutcome outcome, parse_witness_outcome(body));
  RETURN_IF_ERROR(witnesses()->take(outcome));
  return std::string();
}

Result<std::string> LedgerService::answer_question(Method method, std::string_view body) {
  if (method == Method::key) return log()->key().text();
  if (method == Method::checkpoint) {
    std::string note = log()->checkpoint();
    if (note.empty()) return Error{ErrorKind::unavailable, "ledger: " + log()->status().failure};
    return note;
  }
  if (body.size() != Id::size) return Error{ErrorKind::invalid_input, "head proof: a tenant is needed"};
  ASSIGN_OR_RETURN(HeadProof proof, log()->head_proof(Id::from_bytes(body)));
  return proof.encode();
}

void LedgerService::write_heads_each_minute(const std::stop_token& stop) {
  Milliseconds minute = clock_.now() / heads_interval;
  std::mutex mutex;
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    wake_.wait_for(lock, stop, std::chrono::milliseconds(500), [] { return false; });
    if (clock_.now() / heads_interval == minute) continue;
    minute = clock_.now() / heads_interval;
    // A failure has been logged by the Log, which then refuses everything.
    (void)log()->write_heads(Deadline::after(std::chrono::seconds(30), stop));
  }
}

}  // namespace mailhold::ledger
