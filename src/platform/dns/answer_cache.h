// AnswerCache: answers for as long as their ttl says, within bounds. Thread-safe.
#pragma once

#include <list>
#include <map>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "base/dns_answer.h"

namespace mailhold::dns {

class AnswerCache {
 public:
  // A record is kept an hour at most, an absence five minutes (RFC 2308 section 5), a failure ten seconds, so that one
  // dead name server does not cost every message its timeout.
  static constexpr Milliseconds kept_max = 3'600'000;
  static constexpr Milliseconds kept_max_if_void = 300'000;
  static constexpr Milliseconds kept_if_failed = 10'000;

  AnswerCache(std::size_t answers_max, const Clock& clock) : answers_max_(answers_max), clock_(clock) {}

  std::optional<Answer> find(const Question& question);  // with what is left of its ttl
  void keep(const Question& question, const Answer& answer);
  std::size_t size() const;

 private:
  struct Entry {
    Answer answer;
    Milliseconds kept_until = 0;
    std::list<Question>::iterator place;
  };
  const std::size_t answers_max_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<Question, Entry> entries_;  // guarded by mutex_, as is the next
  std::list<Question> by_use_;         // least recently used first
};

}  // namespace mailhold::dns
