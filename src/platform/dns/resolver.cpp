#include "platform/dns/resolver.h"

namespace mailhold::dns {

Answer Resolver::resolve(const Question& question, const Deadline& deadline) {
  std::vector<Answer> answers = resolve_all({&question, 1}, deadline);
  return answers.empty() ? Answer() : std::move(answers.front());
}

Lookup lookup_with(Resolver& resolver, const Deadline& deadline) {
  return [&resolver, deadline](const Question& question) { return resolver.resolve(question, deadline); };
}

}  // namespace mailhold::dns
