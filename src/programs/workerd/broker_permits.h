// What was signed for, as brokerd knows it: exports and restores; and the ledger's word of what it came to.
#pragma once

#include "core/broker/broker_client.h"
#include "features/recover/exports.h"
#include "features/recover/restore_permits.h"

namespace mailhold::worker {

class BrokerPermits final : public recover::ExportPermits {
 public:
  explicit BrokerPermits(broker::BrokerClient& brokerd) : brokerd_(brokerd) {}
  Result<Permit> begin(const std::string& operation, const Deadline& deadline) override;
  Result<std::string> record(const std::string& operation, const recover::ExportReport& report,
                             const Deadline& deadline) override;

 private:
  broker::BrokerClient& brokerd_;
};

class BrokerRestorePermits final : public recover::RestorePermits {
 public:
  explicit BrokerRestorePermits(broker::BrokerClient& brokerd) : brokerd_(brokerd) {}
  Result<Permit> begin(const std::string& operation, const Deadline& deadline) override;
  std::unique_ptr<mailboxes::SessionSource> sessions(const std::string& operation) override;
  std::unique_ptr<mailboxes::SessionSource> reading_sessions(Id written) override;
  Status record(const recover::RestoreReport& report, const Deadline& deadline) override;

 private:
  broker::BrokerClient& brokerd_;
};

}  // namespace mailhold::worker
