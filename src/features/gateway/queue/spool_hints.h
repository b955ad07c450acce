// SpoolHints: gatewayd in's side of it: tells gatewayd out whenever more of the spool is durable, at most every
// few milliseconds, without ever making a session wait.
#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "platform/ipc/client.h"
#include "platform/segments/location.h"

namespace mailhold::queue {

class SpoolHints {
 public:
  // `durable_to` is asked again and again: SpoolWriter::watermark.
  SpoolHints(std::shared_ptr<ipc::Client> gatewayd_out, std::function<segments::Position()> durable_to);

 private:
  std::jthread thread_;
};

}  // namespace mailhold::queue
