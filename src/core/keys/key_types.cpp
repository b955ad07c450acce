#include "core/keys/key_types.h"

#include "base/bytes.h"
#include "platform/crypto/hash.h"

namespace mailhold::keys {

std::string_view name_of(SealKind kind) {
  switch (kind) {
    case SealKind::passphrase: return "passphrase";
    case SealKind::shamir: return "shamir";
    case SealKind::pkcs11: return "pkcs11";
  }
  return "unknown";
}

Result<SecretText> encode_password(std::string_view user, std::string_view password) {
  constexpr std::size_t bytes_max = 1024;
  for (const std::string_view part : {user, password}) {
    if (part.empty() || part.size() > bytes_max || part.find('\0') != std::string_view::npos) {
      return Error{ErrorKind::invalid_input, "a user name or password is empty, too long or has a zero byte"};
    }
  }
  std::string text;
  text.reserve(user.size() + password.size() + 1);  // one block, so that wiping it leaves no earlier copy
  text.append(user).append(1, '\0').append(password);
  return SecretText::take(std::move(text));
}

sealed::Context entry_context(const std::string& region, Id tenant, Id connection, std::string_view policy) {
  return {.region = region,
          .tenant = tenant,
          .kind = sealed::Kind::secret_entry,
          .object_id = std::string(connection.bytes()),
          .extra = crypto::sha256(policy)};
}

}  // namespace mailhold::keys
