// TenantBook: the tenants of this region with their domains, recipients, policy and link lists. Kept by
// apid; each tenant lies sealed under its own configuration key. The gateways and linkd get snapshots.
//
// Every change is durable when its call returns. Any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "base/clock.h"
#include "core/keys/key_types.h"
#include "features/gateway/directory.h"
#include "features/links/link_policy.h"
#include "platform/records/records.h"

namespace mailhold::tenants {

struct TenantEntry {
  gateway::Tenant tenant;
  std::vector<std::string> link_allow;
  std::vector<std::string> link_deny;
};

class TenantBook {
 public:
  // keys::KeyClient::purpose_key(tenant, configuration) and create_tenant.
  using ConfigurationKey = std::function<Result<keys::PurposeKey>(Id tenant, const Deadline& deadline)>;
  struct TenantKeyring {  // keys::KeyClient::create_tenant and destroy_tenant
    std::function<Status(Id tenant, const Deadline& deadline)> create;
    std::function<Status(Id tenant, const Deadline& deadline)> destroy;
  };

  static Result<std::unique_ptr<TenantBook>> open(records::Records& records, ConfigurationKey key, TenantKeyring keyring,
                                                  std::string region, const Clock& clock, const Deadline& deadline);

  // unavailable while the region is sealed and the rows have not been read yet.
  Result<std::vector<TenantEntry>> list(const Deadline& deadline);
  Result<gateway::DirectorySnapshot> directory(const Deadline& deadline);
  Result<links::LinkPolicies> link_policies(const Deadline& deadline);

  // already_exists for a name that is taken (any case).
  Result<Id> add(const std::string& name, const Deadline& deadline);

  // Changes one tenant by a function on a copy; the change counts only if the function is done and the result is sound.
  // not_found; already_exists when another tenant has a domain of it.
  using Change = std::function<Status(TenantEntry&)>;
  Status change(Id tenant, const Change& change, const Deadline& deadline);

  // Destroys the tenant's keys: nothing of it opens any more. not_found. May be repeated after a failure.
  Status remove(Id tenant, const Deadline& deadline);

  Result<Id> find(const std::string& name_or_id, const Deadline& deadline);  // not_found

 private:
  TenantBook(records::Records& records, ConfigurationKey key, TenantKeyring keyring, std::string region, const Clock& clock)
      : records_(records), key_(std::move(key)), keyring_(std::move(keyring)), region_(std::move(region)), clock_(clock) {}
  Status read(const Deadline& deadline);  // with mutex_ held, as the next
  Status write(const TenantEntry& entry, const Deadline& deadline);
  gateway::DirectorySnapshot snapshot() const;

  records::Records& records_;
  const ConfigurationKey key_;
  const TenantKeyring keyring_;
  const std::string region_;
  const Clock& clock_;
  std::mutex mutex_;
  bool is_read_ = false;  // guarded by mutex_, as are the next two
  std::map<Id, TenantEntry> entries_;
  std::uint64_t version_ = 0;
};

}  // namespace mailhold::tenants
