// RouteBook: the routes of all tenants, kept by brokerd. Every route lies sealed under its tenant's
// configuration key; a tenant's default route stands beside. Any thread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "core/access/route.h"
#include "core/keys/key_types.h"
#include "platform/records/records.h"

namespace mailhold::broker {

// keys::KeyClient::purpose_key(tenant, configuration).
using ConfigurationKey = std::function<Result<keys::PurposeKey>(Id tenant, const Deadline& deadline)>;

class RouteBook {
 public:
  // Makes its tables; the records must outlive it.
  static Result<std::unique_ptr<RouteBook>> open(records::Records& records, ConfigurationKey key, std::string region,
                                                 const Clock& clock, const Deadline& deadline);

  // All of them; unavailable while the region is sealed and they have not been read yet.
  Result<access::RouteTable> table(const Deadline& deadline);

  // Durable when it returns. invalid_input as check_route.
  Status set(const access::Route& route, const Deadline& deadline);
  Status remove(Id tenant, Id route, const Deadline& deadline);       // not_found; denied while it is somebody's failover
  Status set_default(Id tenant, Id route, const Deadline& deadline);  // not_found

 private:
  RouteBook(records::Records& records, ConfigurationKey key, std::string region, const Clock& clock)
      : records_(records), key_(std::move(key)), region_(std::move(region)), clock_(clock) {}
  Result<access::Route> open_row(const records::Values& row, const Deadline& deadline);
  Status read(const Deadline& deadline);  // with mutex_ held
  void touch();

  records::Records& records_;
  const ConfigurationKey key_;
  const std::string region_;
  const Clock& clock_;
  std::mutex mutex_;
  std::optional<access::RouteTable> table_;  // guarded by mutex_; nothing until it could be read
};

}  // namespace mailhold::broker
