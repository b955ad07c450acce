// What brokerd knows of a session that is open. For the .cpp files of Broker only.
#pragma once

#include "core/broker/broker.h"

namespace mailhold::broker {

struct Broker::Open {
  std::shared_ptr<ipc::Client> authd;
  std::uint32_t process = 0;
  Id tenant;
  Id connection;                              // or route
  std::optional<access::Connection> metered;  // a connection's: its caps count
  ipc::OwnedFd meter;
  Allowance last_grant;  // what may be given back
  Milliseconds granted_at = 0;
};

struct Broker::Watch {
  Open open;
  std::atomic<bool> over = false;
  std::jthread meter;
  std::jthread thread;
};

}  // namespace mailhold::broker
