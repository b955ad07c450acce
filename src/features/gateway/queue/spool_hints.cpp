#include "features/gateway/queue/spool_hints.h"

#include "features/gateway/queue/queue_messages.h"

namespace mailhold::queue {

SpoolHints::SpoolHints(std::shared_ptr<ipc::Client> gatewayd_out, std::function<segments::Position()> durable_to)
    : thread_([peer = std::move(gatewayd_out), durable_to = std::move(durable_to)](const std::stop_token& stop) {
        segments::Position told;
        while (!stop.stop_requested()) {
          const segments::Position now = durable_to();
          if (told < now) {
            const auto reply = peer->call(static_cast<std::uint16_t>(Method::spooled), encode_spooled(now),
                                          Deadline::after(std::chrono::seconds(2), stop));
            if (reply) told = now;
          }
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
      }) {}

}  // namespace mailhold::queue
