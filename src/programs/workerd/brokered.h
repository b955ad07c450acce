// What workerd gets by way of brokerd: sessions with tenants' servers, rules of retention, and the ledger's word.
#pragma once

#include "core/broker/broker_client.h"
#include "features/mailboxes/mailbox.h"
#include "features/recover/retention.h"

namespace mailhold::worker {

inline constexpr std::chrono::seconds session_opening_max{120};

// Sessions that brokerd opens: signed in already, filtered to their purpose.
class BrokerSessions final : public mailboxes::SessionSource {
 public:
  // `permit`: SHA-256 of the operation by which a restore was signed for; empty: the sessions need none. `written`: a connection;
  // the sessions must reach what that one writes to. None: whatever they reach.
  explicit BrokerSessions(broker::BrokerClient& brokerd, std::string permit = {}, Id written = {})
      : brokerd_(brokerd), permit_(std::move(permit)), written_(written) {}
  Result<ipc::OwnedFd> open(Id tenant, Id connection, std::string_view purpose, const Deadline& deadline) override {
    const Deadline opening =
        Deadline::after(std::min<std::chrono::milliseconds>(session_opening_max, deadline.left()), deadline.stop);
    return brokerd_.open_imap_session(connection, purpose, Id::random(), opening, tenant, permit_, written_);
  }
  Result<ipc::OwnedFd> open_http(Id tenant, Id connection, std::string_view purpose, const Deadline& deadline) override {
    const Deadline opening =
        Deadline::after(std::min<std::chrono::milliseconds>(session_opening_max, deadline.left()), deadline.stop);
    return brokerd_.open_http_session(connection, purpose, Id::random(), opening, tenant, permit_, written_);
  }

 private:
  broker::BrokerClient& brokerd_;
  const std::string permit_;
  const Id written_;
};

// Retention rules and holds, which brokerd keeps, and the ledger's word, which brokerd has written.
class BrokerRules final : public recover::BackupRules {
 public:
  explicit BrokerRules(broker::BrokerClient& brokerd) : brokerd_(brokerd) {}
  Result<access::Keeping> of(Id tenant, const Deadline& deadline) override { return brokerd_.keeping(tenant, deadline); }
  Status report(Id tenant, Id mailbox, const std::string& type, const std::map<std::string, std::uint64_t>& counts,
                const Deadline& deadline) override {
    return brokerd_.report({tenant, mailbox, type, counts}, deadline);
  }

 private:
  broker::BrokerClient& brokerd_;
};

}  // namespace mailhold::worker
