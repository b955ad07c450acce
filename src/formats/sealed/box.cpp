#include "formats/sealed/box.h"

#include "base/random.h"
#include "formats/sealed/chunks.h"
#include "formats/sealed/sealed.h"
#include "platform/crypto/mac.h"
#include "platform/crypto/x25519.h"

namespace mailhold::sealed {
namespace {

constexpr std::string_view magic = "CX01";
constexpr std::string_view info = "mailhold sealed box 1";
constexpr std::size_t box_prefix_size = magic.size() + crypto::x25519_key_size;

// Both public keys are the salt: the box is bound to its recipient.
SecretText box_key(const SecretText& shared, std::string_view ephemeral, std::string_view recipient) {
  std::string salt(ephemeral);
  salt += recipient;
  return crypto::hkdf_sha512(shared.reveal(), salt, info, key_size);
}

struct SealedBox {
  std::string box;
  SecretText key;
};
Result<SealedBox> seal_for(std::string_view public_key, const Context& context, std::string_view plaintext) {
  const crypto::X25519KeyPair ephemeral = crypto::x25519_generate();
  ASSIGN_OR_RETURN(const SecretText shared, crypto::x25519_shared_secret(ephemeral.private_key.reveal(), public_key));
  SealedBox made{{}, box_key(shared, ephemeral.public_key, public_key)};
  made.box.reserve(box_size(plaintext.size()));
  made.box.append(magic).append(ephemeral.public_key);
  append_message(made.box, made.key.reveal(), random_bytes(salt_size), context.encode(), plaintext);
  return made;
}

}  // namespace

std::size_t box_size(std::size_t plaintext_bytes) { return box_prefix_size + compact_size(plaintext_bytes); }

Result<std::string> seal_box(std::string_view public_key, const Context& context, std::string_view plaintext) {
  ASSIGN_OR_RETURN(SealedBox sealed, seal_for(public_key, context, plaintext));
  return std::move(sealed.box);
}

Result<std::string> seal_box_opened_again(std::string_view public_key, const Context& context, std::string_view plaintext) {
  ASSIGN_OR_RETURN(SealedBox sealed, seal_for(public_key, context, plaintext));
  const std::string_view message = std::string_view(sealed.box).substr(box_prefix_size);
  const auto opened = open_message_secret(sealed.key.reveal(), context.encode(), message);
  if (!opened || !equals_in_constant_time(opened->reveal(), plaintext))
    return Error{ErrorKind::bug, "a new box does not open again"};
  return std::move(sealed.box);
}

Result<SecretText> open_box(std::string_view private_key, const Context& context, std::string_view box) {
  if (box.size() < box_prefix_size || !box.starts_with(magic)) return does_not_open();
  const std::string_view ephemeral = box.substr(magic.size(), crypto::x25519_key_size);
  ASSIGN_OR_RETURN(const std::string recipient, crypto::x25519_public_key(private_key));
  auto shared = crypto::x25519_shared_secret(private_key, ephemeral);
  if (!shared) return does_not_open();
  const SecretText key = box_key(*shared, ephemeral, recipient);
  return open_message_secret(key.reveal(), context.encode(), box.substr(box_prefix_size));
}

}  // namespace mailhold::sealed
