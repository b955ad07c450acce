// Resolver: asks DNS. The contract of every way to get answers; threads may share one.
#pragma once

#include <span>
#include <vector>

#include "base/deadline.h"
#include "base/dns_answer.h"

namespace mailhold::dns {

class Resolver {
 public:
  virtual ~Resolver() = default;

  // Always answers: timeout when the deadline passed, servfail when nobody could be asked, nxdomain for a name that
  // normal_name() refuses (such a name is never sent anywhere).
  virtual Answer resolve(const Question& question, const Deadline& deadline);

  // One answer per question, in the same order; they are asked at the same time. At most 64 questions at once go out.
  virtual std::vector<Answer> resolve_all(std::span<const Question> questions, const Deadline& deadline) = 0;
};

// For evaluation code that asks synchronously. The resolver must outlive the lookup.
Lookup lookup_with(Resolver& resolver, const Deadline& deadline);

}  // namespace mailhold::dns
