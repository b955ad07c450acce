// The C2SP construction itself, over encoded contexts: key derivation and chunks. For this room only;
// rows, compact messages and boxes are made of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret_text.h"
#include "formats/sealed/context.h"
#include "platform/crypto/aes_gcm.h"

namespace mailhold::sealed {

// What HKDF-Expand gives for one message: AES key | base nonce | commitment.
class MessageKeys {
 public:
  MessageKeys(std::string_view key, std::string_view salt, std::string_view context);
  std::string_view cipher_key() const { return bytes_.reveal().substr(0, 32); }
  std::string_view base_nonce() const { return bytes_.reveal().substr(32, 12); }
  std::string_view commitment() const { return bytes_.reveal().substr(44, 32); }

 private:
  SecretText bytes_;
};

// The nonce of chunk `index`: the base nonce XOR the index, big-endian, at its end.
class ChunkNonce {
 public:
  ChunkNonce(std::string_view base_nonce, std::uint64_t index);
  std::string_view view() const { return {bytes_, sizeof bytes_}; }

 private:
  char bytes_[crypto::AesGcm::nonce_size];
};

inline constexpr std::uint64_t chunks_max = std::uint64_t{1} << 38;

// How many bytes of plaintext a run of chunks of that size holds; corrupt if no message has it.
Result<std::uint64_t> plaintext_of(std::uint64_t chunks_bytes);

// Appends salt | commitment | chunks.
void append_message(std::string& out, std::string_view key, std::string_view salt, std::string_view context,
                    std::string_view plaintext);

Result<std::string> open_message(std::string_view key, std::string_view context, std::string_view message);
Result<SecretText> open_message_secret(std::string_view key, std::string_view context, std::string_view message);
struct Remains;
Result<Remains> open_message_remains(std::string_view key, std::string_view context, std::string_view message);

// The header of a row in that context, and whether a row has it. corrupt
std::string row_header(const Context& context);
Status check_row_header(const Context& context, std::string_view row);

Error does_not_open();  // one text for every reason: what was wrong is nobody's business

}  // namespace mailhold::sealed
