// BrokerClient: what gatewayd-out asks of brokerd. Any thread.
#pragma once

#include <memory>

#include "core/access/route.h"
#include "platform/ipc/channel.h"
#include "platform/ipc/client.h"

namespace mailhold::broker {

class BrokerClient {
 public:
  explicit BrokerClient(std::shared_ptr<ipc::Client> brokerd) : brokerd_(std::move(brokerd)) {}

  Result<access::RouteTable> routes(const Deadline& deadline);

  // The channel of submission_messages.h to an authd that is past TLS and AUTH. Errors as Broker::open_session.
  Result<std::shared_ptr<ipc::Channel>> open_session(Id tenant, Id route, Id job, const Deadline& deadline);

 private:
  std::shared_ptr<ipc::Client> brokerd_;
};

}  // namespace mailhold::broker
