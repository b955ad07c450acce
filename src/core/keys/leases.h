// Leases: answers of keyd that are kept in memory and used again, also while keyd does not answer. Any thread.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "base/result.h"
#include "base/secret_text.h"
#include "core/keys/key_client.h"

namespace mailhold::keys {

class Leases {
 public:
  using Fetch = std::function<Result<SecretText>()>;

  Leases(LeaseTimes times, KeyClient::Now now) : times_(times), now_(std::move(now)) {}

  // The answer of that name: kept if fresh, else fetched; the kept one if fetching finds keyd away. Errors other than
  // unavailable and timed_out end the lease. `fetched` tells whether keyd was asked with success.
  Result<SecretText> get(const std::string& name, const Fetch& fetch, bool& fetched);
  void keep(const std::string& name, SecretText answer);  // an answer that came along with another
  bool has(const std::string& name);
  void clear();

 private:
  struct Lease {
    SecretText answer;
    std::chrono::steady_clock::time_point since;
    std::chrono::steady_clock::time_point tried;
  };
  void make_room(std::chrono::steady_clock::time_point now);

  static constexpr std::size_t count_max = 500'000;
  const LeaseTimes times_;
  const KeyClient::Now now_;
  std::mutex mutex_;
  std::map<std::string, Lease> leases_;  // guarded by mutex_
};

}  // namespace mailhold::keys
