// What the gateway has done since it started: numbers for metrics and for gateway.status. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace mailhold::gateway {

struct InboundCounts {
  using Count = std::atomic<std::uint64_t>;
  Count connections_open = 0;
  Count connections = 0;          // ever
  Count connections_refused = 0;  // 421 at the greeting
  Count tls_sessions = 0;
  Count timeouts = 0;
  Count recipients_refused = 0;
  Count accepted = 0;  // 250, held ones included
  Count held = 0;
  Count rejected = 0;    // 5xx at the end of data
  Count tempfailed = 0;  // 4xx at the end of data
  Count bytes_accepted = 0;
  Count content_bytes = 0;  // being received now

  // Why messages were held or refused, by the code of the rule.
  void count_reason(std::string_view code);
  std::map<std::string, std::uint64_t> reasons() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t> reasons_;  // guarded by mutex_; codes are ours, so it stays small
};

}  // namespace mailhold::gateway
