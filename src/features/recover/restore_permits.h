// RestorePermits: what was signed for: that items of a mailbox are put back, by one person into its own place, by two into
// anybody else's. The permit names the mailboxes, the moment and what of it; sessions that it opens are with the mailbox that is
// written to alone. brokerd's word in programs.
#pragma once

#include <memory>
#include <string>

#include "features/recover/restore.h"

namespace mailhold::recover {

class RestorePermits {
 public:
  struct Permit {
    Id tenant;
    Id connection;           // that is written over
    Id reading;              // that the mailbox is read over, where it was signed for its own place
    RestoreRequest request;  // `permit` in it names this; `dry_run`: its sessions only read
    std::string query;       // its items are what this finds as of that moment; empty: there is none
  };
  virtual ~RestorePermits() = default;
  // `operation`: the SHA-256 of what was signed, in hex. That it is acted upon stands in the ledger when this returns.
  // not_found: no such operation, its time is over, or the connection was suspended since; invalid_input: no such name.
  virtual Result<Permit> begin(const std::string& operation, const Deadline& deadline) = 0;
  // Sessions under the permit.
  virtual std::unique_ptr<mailboxes::SessionSource> sessions(const std::string& operation) = 0;
  // Sessions that only read and take no permit: over connections that read the account and the folders which `written`, a
  // connection, writes to. denied over others.
  virtual std::unique_ptr<mailboxes::SessionSource> reading_sessions(Id written) = 0;
  // Into the ledger, with both mailboxes: what it came to.
  virtual Status record(const RestoreReport& report, const Deadline& deadline) = 0;
};

}  // namespace mailhold::recover
