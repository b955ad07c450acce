// MailboxWatch: tells that something changed in a mailbox, and not what: whoever is told reads it. No implementation promises
// to see every folder, nor every change: a mailbox that is watched is read from time to time all the same.
//
// One thread at a time. It never waits: many of them share one thread, which waits for their sockets.
#pragma once

#include <chrono>

#include "base/result.h"

namespace mailhold::mailboxes {

class MailboxWatch {
 public:
  virtual ~MailboxWatch() = default;

  // Takes what has come, as far as one turn goes: what is left makes the socket readable at once. True: something changed.
  // An error ends the watch. unavailable, timed_out: another one may do better; corrupt, limit_exceeded: the server breaks its
  // protocol; unsupported, denied: it does not let itself be watched.
  virtual Result<bool> look() = 0;
  // look() is called once at the beginning, then when the socket is readable, and by then at the latest.
  virtual std::chrono::steady_clock::time_point look_by() const = 0;
};

}  // namespace mailhold::mailboxes
