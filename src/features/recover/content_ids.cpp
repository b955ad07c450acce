#include "features/recover/content_ids.h"

#include "platform/crypto/mac.h"

namespace mailhold::recover {

Result<std::shared_ptr<const ContentIds>> ContentIds::of(Id tenant, store::StoreKeys& keys, const Deadline& deadline) {
  ASSIGN_OR_RETURN(SecretText token_key, keys.token_key(tenant, deadline));
  return std::shared_ptr<const ContentIds>(new ContentIds(std::move(token_key)));
}

Id ContentIds::id_of(std::string_view sha256) const {
  constexpr std::string_view domain = "mailhold backup content";
  const std::string hash = crypto::hmac_sha256(token_key_.reveal(), std::string(domain).append(sha256));
  return Id::from_bytes(std::string_view(hash).substr(0, Id::size));
}

}  // namespace mailhold::recover
