// Exports as brokerd knows them: what two people have signed, and the ledger's word of what it came to.
#pragma once

#include "core/broker/broker_client.h"
#include "features/recover/exports.h"

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

}  // namespace mailhold::worker
