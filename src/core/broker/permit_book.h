// PermitBook: what people have allowed a worker to do for a while, as they signed it: exports. Each is named by the SHA-256 of
// its operation and lies sealed under its tenant's configuration key. Any thread.
#pragma once

#include <memory>

#include "base/clock.h"
#include "core/access/operation.h"
#include "core/broker/connection_book.h"

namespace mailhold::broker {

inline constexpr Milliseconds permit_life = 8 * 60 * 60 * 1000;

class PermitBook {
 public:
  // Makes its table; all outlive it.
  static Result<std::unique_ptr<PermitBook>> open(records::Records& records, ConnectionBook& seals, const Clock& clock,
                                                  const Deadline& deadline);

  // Counts from now for permit_life. Those whose time is over go. Returns the end of its time.
  Result<Milliseconds> allow(const access::Operation& operation, const Deadline& deadline);
  // not_found: none by that hash, or its time is over.
  Result<access::Operation> find(std::string_view hash, const Deadline& deadline);

 private:
  PermitBook(records::Records& records, ConnectionBook& seals, const Clock& clock)
      : records_(records), seals_(seals), clock_(clock) {}

  records::Records& records_;
  ConnectionBook& seals_;
  const Clock& clock_;
};

}  // namespace mailhold::broker
