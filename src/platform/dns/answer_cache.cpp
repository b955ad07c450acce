#include "platform/dns/answer_cache.h"

#include <algorithm>

namespace mailhold::dns {
namespace {

Milliseconds time_to_keep(const Answer& answer) {
  const Milliseconds ttl = static_cast<Milliseconds>(answer.ttl_seconds) * 1000;
  if (answer.is_temporary_failure()) return AnswerCache::kept_if_failed;
  return std::min(ttl, answer.is_void() ? AnswerCache::kept_max_if_void : AnswerCache::kept_max);
}

}  // namespace

std::optional<Answer> AnswerCache::find(const Question& question) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(question);
  if (found == entries_.end()) return std::nullopt;
  const Milliseconds left = found->second.kept_until - clock_.now();
  if (left <= 0) {
    by_use_.erase(found->second.place);
    entries_.erase(found);
    return std::nullopt;
  }
  by_use_.splice(by_use_.end(), by_use_, found->second.place);
  Answer answer = found->second.answer;
  answer.ttl_seconds = static_cast<std::uint32_t>((left + 999) / 1000);
  return answer;
}

void AnswerCache::keep(const Question& question, const Answer& answer) {
  const Milliseconds time = time_to_keep(answer);
  if (time <= 0) return;
  const std::lock_guard lock(mutex_);
  const auto [entry, is_new] = entries_.try_emplace(question);
  if (is_new)
    entry->second.place = by_use_.insert(by_use_.end(), question);
  else
    by_use_.splice(by_use_.end(), by_use_, entry->second.place);
  entry->second.answer = answer;
  entry->second.kept_until = clock_.now() + time;
  if (entries_.size() <= answers_max_) return;
  entries_.erase(by_use_.front());
  by_use_.pop_front();
}

std::size_t AnswerCache::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace mailhold::dns
