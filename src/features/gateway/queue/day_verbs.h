// DayVerbs: the verbs about the keys of kept messages that the store must carry out: message.shred, message.shred-day and
// message.rewrap-day. JSON in, JSON out. Any thread.
//
// Design: docs/guide/keys.md, docs/formats/keystore.md "Rotation"
#pragma once

#include <string>
#include <string_view>

#include "core/keys/key_client.h"
#include "features/gateway/queue/queue.h"

namespace mailhold::queue {

class DayVerbs {
 public:
  DayVerbs(Queue& queue, keys::KeyClient& keys) : queue_(queue), keys_(keys) {}

  static bool knows(std::string_view verb);
  // tenant: its id; id: the message; day: counted from 1970.
  Result<std::string> answer(std::string_view json, const Deadline& deadline);

 private:
  Result<std::string> rewrap(Id tenant, std::uint32_t day, const Deadline& deadline);
  Queue& queue_;
  keys::KeyClient& keys_;
};

}  // namespace mailhold::queue
