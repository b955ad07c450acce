// SpentReceipts: which receipts were used already. A receipt lives for seconds, so memory is enough: what was issued before
// this process started is refused, whether it was used or not. One thread at a time.
#pragma once

#include <map>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace mailhold::keys {

class SpentReceipts {
 public:
  explicit SpentReceipts(Milliseconds started_at) : started_at_(started_at) {}

  // denied if it was spent before, is expired, was issued before the start, or would have to be remembered for more than
  // a minute; limit_exceeded if too many are remembered. Otherwise it is spent now.
  Status spend(const std::string& leaf_hash, Milliseconds issued_at, Milliseconds expires_at, Milliseconds now);

 private:
  Milliseconds started_at_;
  std::map<std::string, Milliseconds> expiry_of_;
  Milliseconds swept_at_ = 0;
};

}  // namespace mailhold::keys
