// SpoolItem: an accepted message on its way to the store and the queue.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/id.h"
#include "platform/segments/location.h"

namespace mailhold::spool {

using segments::Location;
using segments::Position;

struct SpoolItem {
  Id message;
  Id tenant;
  Milliseconds accepted_at = 0;
  std::string head;  // the gateway's AcceptedMessage, opaque here
  std::string body;  // the message as it will be delivered
};

}  // namespace mailhold::spool
