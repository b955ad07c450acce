// What brokerd knows of a session that is open. For the .cpp files of Broker only.
#pragma once

#include <atomic>

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

// A session that is being opened on a connection, from before anything of the connection is read until it is open or refused.
struct Broker::Opening {
  Opening(Broker& owner, Id of) : broker(owner), connection(of) {
    const std::lock_guard lock(broker.mutex_);
    broker.openings_.push_back(this);
  }
  ~Opening() {
    const std::lock_guard lock(broker.mutex_);
    std::erase(broker.openings_, this);
  }
  Opening(const Opening&) = delete;
  Opening& operator=(const Opening&) = delete;
  bool has_lost_its_secret() const {
    const std::lock_guard lock(broker.mutex_);
    return secret_taken;
  }

  Broker& broker;
  const Id connection;
  bool secret_taken = false;  // guarded by the broker's mutex_: destroyed or replaced since it began
};

struct Broker::Watch {
  Open open;
  std::atomic<bool> over = false;
  std::jthread meter;
  std::jthread thread;
};

}  // namespace mailhold::broker
