#include "core/broker/broker_client.h"

#include "core/broker/broker_messages.h"

namespace mailhold::broker {

Result<access::RouteTable> BrokerClient::routes(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const ipc::Frame reply, brokerd_->call(static_cast<std::uint16_t>(Method::routes), {}, deadline));
  return access::parse_routes(reply.bytes);
}

Result<std::shared_ptr<ipc::Channel>> BrokerClient::open_session(Id tenant, Id route, Id job, const Deadline& deadline) {
  ASSIGN_OR_RETURN(ipc::Frame reply,
                   brokerd_->call(static_cast<std::uint16_t>(Method::open_session), encode({tenant, route, job}), deadline));
  if (reply.fds.size() != 1) return Error{ErrorKind::corrupt, "brokerd gave no channel"};
  return std::make_shared<ipc::Channel>(std::move(reply.fds.front()));
}

}  // namespace mailhold::broker
