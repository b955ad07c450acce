// The verbs tenant.*, domain.* and the tenant's side of link.*: JSON in, JSON out. Each change is
// written into the ledger by the function given, before it is made.
#pragma once

#include <functional>
#include <string>

#include "features/tenants/tenant_book.h"

namespace mailhold::tenants {

class TenantVerbs {
 public:
  // Writes that `what` is about to happen to the tenant.
  using Record = std::function<Status(Id tenant, const std::string& what, const Deadline& deadline)>;
  TenantVerbs(TenantBook& book, Record record) : book_(book), record_(std::move(record)) {}

  static bool knows(std::string_view verb);
  // invalid_input says what the request lacks; not_found for an unknown tenant, domain or verb.
  Result<std::string> answer(std::string_view json, const Deadline& deadline);

 private:
  TenantBook& book_;
  const Record record_;
};

}  // namespace mailhold::tenants
