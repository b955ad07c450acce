// PermitBook: what people have allowed a worker to do for a while, as they signed it: exports and restores. Each is named by the
// SHA-256 of its operation and lies sealed under its tenant's configuration key, with the end of its time and whether it was
// withdrawn. Any thread.
//
// Bytes: docs/formats/operation.md
#pragma once

#include <memory>

#include "base/clock.h"
#include "core/access/operation.h"
#include "core/broker/connection_book.h"

namespace mailhold::broker {

inline constexpr Milliseconds permit_life = 8 * 60 * 60 * 1000;
inline constexpr Milliseconds permit_kept = 24 * 60 * 60 * 1000;  // after its time, so that what was begun in it can be recorded

class PermitBook {
 public:
  // Makes its table; all outlive it.
  static Result<std::unique_ptr<PermitBook>> open(records::Records& records, ConnectionBook& seals, const Clock& clock,
                                                  const Deadline& deadline);

  // Counts from now for permit_life. Those whose time is long over go. Returns the end of its time.
  Result<Milliseconds> allow(const access::Operation& operation, const Deadline& deadline);
  // not_found: none by that hash, its time is over, or it was withdrawn.
  Result<access::Operation> find(std::string_view hash, const Deadline& deadline);
  // Also one that counts no more: what was done by it is still to be written down. It allows nothing.
  Result<access::Operation> find_used(std::string_view hash, const Deadline& deadline);
  // None that names this connection counts any more, unless an error says that some may: the first one, after all others were
  // seen to. A row that somebody has changed goes: it opens nothing, and must not do so when it is put right again.
  Status withdraw(Id connection, const Deadline& deadline);

 private:
  PermitBook(records::Records& records, ConnectionBook& seals, const Clock& clock)
      : records_(records), seals_(seals), clock_(clock) {}
  enum class Counts { now, no_more };
  Result<access::Operation> find(std::string_view hash, Counts counts, const Deadline& deadline);
  Result<access::Operation> open_row(const records::Values& row, const Deadline& deadline);
  Status withdraw_row(const records::Values& row, Id connection, const Deadline& deadline);

  records::Records& records_;
  ConnectionBook& seals_;
  const Clock& clock_;
};

}  // namespace mailhold::broker
