#include "features/gateway/inbound/counts.h"

namespace mailhold::gateway {

void InboundCounts::count_reason(std::string_view code) {
  const std::lock_guard lock(mutex_);
  ++reasons_[std::string(code)];
}

std::map<std::string, std::uint64_t> InboundCounts::reasons() const {
  const std::lock_guard lock(mutex_);
  return reasons_;
}

}  // namespace mailhold::gateway
