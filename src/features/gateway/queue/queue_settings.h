// Settings of the queue: each with its key in the settings file and its default.
#pragma once

#include <string>

#include "core/settings/settings.h"
#include "features/gateway/outbound/opener.h"
#include "features/gateway/queue/delivery.h"
#include "features/gateway/queue/routes.h"
#include "features/gateway/queue/schedule.h"

namespace mailhold::queue {

struct QueueSettings {
  ScheduleSettings schedule;
  DeliverySettings delivery;
  std::string region = "local";                    // mailhold.region
  std::string our_name = "localhost";              // mailhold.hostname: reports in notices
  NoticesGo notices = NoticesGo::by_mx;            // queue.notices
  Milliseconds held_life = 30LL * 24 * 3'600'000;  // held.days
  std::chrono::milliseconds commit_pause{40};      // the least time between two commits: what a batch is gathered in
  std::chrono::milliseconds keep_pause{200};       // the least time between two batches for the store, unless one is full before
  std::chrono::milliseconds due_pause{500};        // between two looks for rows whose time has come
  std::chrono::milliseconds unhinted_scan{1'000};  // the spool is looked at without a hint, too
};

// From the known settings "queue.*", "outbound.*" and "held.*". invalid_input names the key.
Result<QueueSettings> queue_settings(const Settings& settings);
Result<outbound::OutboundSettings> outbound_settings(const Settings& settings);

}  // namespace mailhold::queue
