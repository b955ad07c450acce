// KeepingBook: the retention rules, holds and removals of all tenants, kept by brokerd. A tenant's are one row, sealed under its
// configuration key; its version is part of the seal and only grows. Any thread.
#pragma once

#include <memory>

#include "core/access/keeping.h"
#include "core/broker/connection_book.h"

namespace mailhold::broker {

class KeepingBook {
 public:
  // Makes its table; the records must outlive it.
  static Result<std::unique_ptr<KeepingBook>> open(records::Records& records, ConfigurationKey key, std::string region,
                                                   const Deadline& deadline);

  // Nothing was ever said: everything is kept for ever. unavailable while the region is sealed; corrupt if it does not open.
  Result<access::Keeping> of(Id tenant, const Deadline& deadline);

  // Reads, lets `change` decide and writes what it gives, with no other change in between. An error of `change`, and nothing
  // given, leaves all as it was. Durable when it returns.
  using Change = std::function<Result<std::optional<access::Keeping>>(const access::Keeping& before)>;
  Status change(Id tenant, const Change& change, const Deadline& deadline);

 private:
  KeepingBook(records::Records& records, ConfigurationKey key, std::string region)
      : records_(records), key_(std::move(key)), region_(std::move(region)) {}
  struct Read {
    access::Keeping keeping;
    std::uint64_t version = 0;
  };
  Result<Read> read(Id tenant, const Deadline& deadline);
  sealed::Context context(Id tenant, std::uint64_t version, std::uint32_t key_version) const;

  records::Records& records_;
  const ConfigurationKey key_;
  const std::string region_;
  std::mutex changing_;
};

}  // namespace mailhold::broker
