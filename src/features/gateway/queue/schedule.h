// Schedule: when a message is tried again, when its sender is told that it is late, and when it is given up.
// Pure: time comes in as an argument.
#pragma once

#include "features/gateway/queue/queue_item.h"
#include "formats/dsn/dsn.h"

namespace mailhold::queue {

struct ScheduleSettings {
  Milliseconds retry_first = 5 * 60'000;            // queue.retry_seconds_first
  Milliseconds retry_longest = 4 * 3'600'000;       // queue.retry_seconds_max
  Milliseconds life = 5LL * 24 * 3'600'000;         // queue.life_seconds
  Milliseconds delay_notice_after = 4 * 3'600'000;  // queue.delay_notice_seconds; 0: none
};

// How long to wait after so many attempts: doubled each time up to the longest.
Milliseconds retry_delay(std::uint32_t attempts, const ScheduleSettings& settings);

// What the sender must be told now.
struct Due {
  std::vector<dsn::Recipient> failed;
  std::vector<dsn::Recipient> delayed;
};

// After an attempt: expires recipients whose life is over, marks who is reported, and sets item.next_attempt if
// recipients are open still.
Due settle(QueueItem& item, Milliseconds now, const ScheduleSettings& settings);

}  // namespace mailhold::queue
