// Sealed boxes: anyone can seal to an X25519 public key, only the holder of the private key can open.
// The sender stays unknown and cannot read back what it sealed. Any thread.
//
// Design: docs/formats/sealed.md, "Sealed boxes"
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret_text.h"
#include "formats/sealed/context.h"

namespace mailhold::sealed {

std::size_t box_size(std::size_t plaintext_bytes);

// invalid_input if `public_key` is not a usable X25519 key.
Result<std::string> seal_box(std::string_view public_key, const Context& context, std::string_view plaintext);

// The same for what must not be lost: before it is returned the box is opened again with the secret that both sides come to
// (RFC 7748: the sender's is the recipient's), so that it opens for whoever has the private half. bug if it does not.
Result<std::string> seal_box_opened_again(std::string_view public_key, const Context& context, std::string_view plaintext);

// corrupt if anything is wrong.
Result<SecretText> open_box(std::string_view private_key, const Context& context, std::string_view box);

}  // namespace mailhold::sealed
