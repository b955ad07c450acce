// UsageBook: how much of its caps each connection has used in this UTC hour and day. Nothing is granted before it is
// durable here, so no crash and no restart makes a cap larger. Any thread.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "core/access/connection.h"
#include "core/broker/session_meter.h"
#include "core/broker/use_policy.h"
#include "platform/records/records.h"

namespace mailhold::broker {

class UsageBook {
 public:
  // Makes its tables; the records must outlive it.
  static Result<std::unique_ptr<UsageBook>> open(records::Records& records, const Clock& clock, const Deadline& deadline);

  // limit_exceeded names the cap that is reached.
  Status begin_session(const access::Connection& connection, const Deadline& deadline);
  // At most what the caps leave, and of little that is left not all, so that sessions side by side share it.
  Result<Allowance> grant(const access::Connection& connection, const Allowance& wanted, const Deadline& deadline);
  // What was granted at that moment and not needed; forgotten where the hour or the day has passed since.
  Status give_back(const access::Connection& connection, const Allowance& unused, Milliseconds granted_at,
                   const Deadline& deadline);
  // `name` stands for the mailbox (ConnectionBook::keyed_name); one that was reached today may be reached again.
  Result<bool> reach_mailbox(const access::Connection& connection, const std::string& name, const Deadline& deadline);

  Result<Usage> of_hour(Id connection, const Deadline& deadline);
  Result<Usage> of_day(Id connection, const Deadline& deadline);

 private:
  UsageBook(records::Records& records, const Clock& clock) : records_(records), clock_(clock) {}
  Result<Usage> read(Id connection, std::int64_t window, const Deadline& deadline);
  Status add(Id connection, std::int64_t sessions, std::int64_t items, std::int64_t bytes, const Deadline& deadline);

  records::Records& records_;
  const Clock& clock_;
  std::mutex mutex_;  // one change at a time: what is read is what is changed
};

}  // namespace mailhold::broker
