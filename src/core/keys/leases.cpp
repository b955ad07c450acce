#include "core/keys/leases.h"

namespace mailhold::keys {

Result<SecretText> Leases::get(const std::string& name, const Fetch& fetch, bool& fetched) {
  fetched = false;
  const auto now = now_();
  {
    const std::lock_guard lock(mutex_);
    const auto found = leases_.find(name);
    if (found != leases_.end()) {
      Lease& lease = found->second;
      const bool alive = now - lease.since < times_.life;
      if (now - lease.since < times_.refresh || (alive && now - lease.tried < times_.retry)) return lease.answer.duplicate();
      lease.tried = now;  // others use the kept one meanwhile
    }
  }
  auto answer = fetch();  // without the lock: it may take as long as its deadline allows
  const std::lock_guard lock(mutex_);
  if (answer) {
    make_room(now);
    leases_[name] = Lease{answer->duplicate(), now, now};
    fetched = true;
    return answer;
  }
  const auto found = leases_.find(name);
  if (found == leases_.end()) return answer;
  if (answer.error().is_temporary() && now - found->second.since < times_.life) return found->second.answer.duplicate();
  leases_.erase(found);
  return answer;
}

void Leases::keep(const std::string& name, SecretText answer) {
  const auto now = now_();
  const std::lock_guard lock(mutex_);
  make_room(now);
  leases_[name] = Lease{std::move(answer), now, now};
}

bool Leases::has(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return leases_.contains(name);
}

void Leases::clear() {
  const std::lock_guard lock(mutex_);
  leases_.clear();
}

void Leases::make_room(std::chrono::steady_clock::time_point now) {
  if (leases_.size() < count_max) return;
  std::erase_if(leases_, [&](const auto& entry) { return now - entry.second.since >= times_.life; });
  if (leases_.size() >= count_max) leases_.clear();
}

}  // namespace mailhold::keys
