// ConnectionBook: the connections of all tenants, kept by brokerd. Every one lies sealed under its tenant's
// configuration key. Any thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "core/access/connection.h"
#include "core/broker/route_book.h"

namespace mailhold::broker {

class ConnectionBook {
 public:
  // Makes its tables; the records must outlive it.
  static Result<std::unique_ptr<ConnectionBook>> open(records::Records& records, ConfigurationKey key, std::string region,
                                                      const Clock& clock, const Deadline& deadline);

  // unavailable while the region is sealed and they have not been read yet.
  Result<std::vector<access::Connection>> list(const Deadline& deadline);
  Result<access::Connection> find(Id connection, const Deadline& deadline);  // not_found

  // Durable when they return. set: invalid_input as check_connection; not_found if it is another tenant's.
  Status set(const access::Connection& connection, const Deadline& deadline);
  Status remove(Id tenant, Id connection, const Deadline& deadline);  // not_found

  // What else brokerd keeps for a tenant, sealed in the same way: `what` is part of the seal.
  Result<std::string> seal(Id tenant, std::string_view what, std::string_view bytes, const Deadline& deadline);
  Result<std::string> unseal(Id tenant, std::string_view what, std::string_view sealed, const Deadline& deadline);
  // A name for something personal that may lie beside: keyed, so that it can only be compared here.
  Result<std::string> keyed_name(Id tenant, std::string_view what, const Deadline& deadline);

 private:
  ConnectionBook(records::Records& records, ConfigurationKey key, std::string region, const Clock& clock)
      : records_(records), key_(std::move(key)), region_(std::move(region)), clock_(clock) {}
  Status read(const Deadline& deadline);  // with mutex_ held

  records::Records& records_;
  const ConfigurationKey key_;
  const std::string region_;
  const Clock& clock_;
  std::mutex mutex_;
  std::optional<std::map<Id, access::Connection>> connections_;  // guarded by mutex_; nothing until they could be read
};

}  // namespace mailhold::broker
