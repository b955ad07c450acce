#include "platform/dns/resolver_client.h"

#include <algorithm>

#include "platform/dns/answer_cache.h"
#include "platform/dns/resolver_messages.h"

namespace mailhold::dns {
namespace {

// What must be asked: where each answer goes, and the question in the form that resolverd takes.
struct Open {
  std::size_t index;
  Question question;
};

std::vector<Answer> failed(std::size_t count, AnswerStatus status) {
  return std::vector<Answer>(count, Answer{.status = status});
}

// One request, at most questions_max long. Our own failures are not the name's: they are not kept.
Result<std::vector<Answer>> ask(ipc::Client& resolverd, std::span<const Open> open, const Deadline& deadline) {
  ResolveRequest request{deadline.left(), {}};
  for (const Open& one : open) request.questions.push_back(one.question);
  if (request.time.count() == 0) return Error{ErrorKind::timed_out, "dns: no time left"};
  ASSIGN_OR_RETURN(const ipc::Frame reply, resolverd.call(method_resolve, encode(request), deadline));
  return parse_answers(reply.bytes, open.size());
}

}  // namespace

ResolverClient::ResolverClient(std::shared_ptr<ipc::Client> resolverd, const Clock& clock)
    : resolverd_(std::move(resolverd)), cache_(std::make_unique<AnswerCache>(cached_answers_max, clock)) {}

ResolverClient::~ResolverClient() = default;

std::vector<Answer> ResolverClient::resolve_all(std::span<const Question> questions, const Deadline& deadline) {
  std::vector<Answer> answers = failed(questions.size(), AnswerStatus::servfail);
  std::vector<Open> open;
  for (std::size_t index = 0; index < questions.size(); ++index) {
    std::optional<std::string> name = normal_name(questions[index].name);
    if (!name) {
      answers[index].status = AnswerStatus::nxdomain;
      continue;
    }
    Question question{std::move(*name), questions[index].type};
    if (std::optional<Answer> kept = cache_->find(question))
      answers[index] = std::move(*kept);
    else
      open.push_back({index, std::move(question)});
  }
  for (std::size_t start = 0; start < open.size(); start += questions_max) {
    const auto batch = std::span<const Open>(open).subspan(start, std::min(questions_max, open.size() - start));
    Result<std::vector<Answer>> received = ask(*resolverd_, batch, deadline);
    const bool ran_out = !received && received.error().kind == ErrorKind::timed_out;
    if (!received)
      received = failed(batch.size(), ran_out ? AnswerStatus::timeout : AnswerStatus::servfail);
    else
      for (std::size_t index = 0; index < batch.size(); ++index) cache_->keep(batch[index].question, (*received)[index]);
    for (std::size_t index = 0; index < batch.size(); ++index) answers[batch[index].index] = std::move((*received)[index]);
  }
  return answers;
}

}  // namespace mailhold::dns
