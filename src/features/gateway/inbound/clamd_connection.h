// Connecting to the virus scanner's local socket, for a worker that may open nothing itself.
#pragma once

#include "features/gateway/inbound/answers.h"

namespace mailhold::gateway {

// Connects to a unix stream socket. unavailable: nobody listens there.
ConnectClamd clamd_at(std::string path);

}  // namespace mailhold::gateway
