// ContentIds: by what id a tenant's contents lie in the store: the first 16 bytes of a keyed hash of each. So whoever has a
// content and a row that names one knows whether they are the same, without a hash of it in the row. Any thread.
//
// Design: docs/formats/mailbox_backup.md
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/deadline.h"
#include "base/id.h"
#include "base/result.h"
#include "core/store/store_keys.h"

namespace mailhold::recover {

class ContentIds {
 public:
  // Errors of StoreKeys::token_key.
  static Result<std::shared_ptr<const ContentIds>> of(Id tenant, store::StoreKeys& keys, const Deadline& deadline);

  Id id_of(std::string_view sha256) const;
  // Whether a message has that SHA-256, as the store asks it. This must outlive what is given.
  std::function<bool(Id message, std::string_view sha256)> is_of() const {
    return [this](Id message, std::string_view sha256) { return id_of(sha256) == message; };
  }

 private:
  explicit ContentIds(SecretText token_key) : token_key_(std::move(token_key)) {}

  const SecretText token_key_;
};

}  // namespace mailhold::recover
