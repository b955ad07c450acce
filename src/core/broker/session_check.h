// Whether a connection works: a session is opened for a purpose, as a worker would, asked for nothing but its state, and closed.
#pragma once

#include <string>

#include "core/broker/broker_client.h"

namespace mailhold::broker {

struct SessionCheck {
  std::string greeting;  // the first line of the session, of our own authd
  std::int64_t milliseconds = 0;
};

// `kind` as connections are listed: "imap". Errors as BrokerClient::open_imap_session.
Result<SessionCheck> check_session(BrokerClient& brokerd, Id connection, const std::string& kind, const std::string& purpose,
                                   const Deadline& deadline);

}  // namespace mailhold::broker
