#include "platform/dns/resolver_service.h"

#include <mutex>

#include "platform/dns/resolver_messages.h"

namespace mailhold::dns {
namespace {

// The answers to one request. The last one to arrive replies.
class Gathering {
 public:
  Gathering(std::shared_ptr<ipc::Call> call, std::size_t count) : call_(std::move(call)), answers_(count), missing_(count) {}

  void take(std::size_t index, Answer answer) {
    {
      const std::lock_guard lock(mutex_);
      answers_[index] = std::move(answer);
      if (--missing_ > 0) return;
    }
    call_->reply(encode(answers_));
  }

 private:
  const std::shared_ptr<ipc::Call> call_;
  std::mutex mutex_;
  std::vector<Answer> answers_;  // guarded by mutex_, as is the next
  std::size_t missing_;
};

}  // namespace

void ResolverService::handle(const std::shared_ptr<ipc::Call>& call) {
  if (call->method() != method_resolve) return call->fail(Error{ErrorKind::unsupported, "dns: unknown method"});
  const Result<ResolveRequest> request = parse_request(call->body());
  if (!request) return call->fail(request.error());
  const auto gathering = std::make_shared<Gathering>(call, request->questions.size());
  for (std::size_t index = 0; index < request->questions.size(); ++index) {
    resolver_.ask(request->questions[index], request->time,
                  [gathering, index](Answer answer) { gathering->take(index, std::move(answer)); });
  }
}

}  // namespace mailhold::dns
