// What gatewayd in answers to the command line: JSON in, JSON out.
//   gateway.status  {}  -> numbers since the start, what waits, the directory in force
//   gateway.pause   {}  -> the status; new sessions are answered 421, new messages 451
//   gateway.resume  {}  -> the status
#pragma once

#include <string>
#include <string_view>

#include "features/gateway/inbound/inbound.h"

namespace mailhold::gateway {

// invalid_input for a request without a verb, not_found for an unknown one.
Result<std::string> answer_verb(Inbound& inbound, const DirectoryLease& directory, std::string_view request);

}  // namespace mailhold::gateway
