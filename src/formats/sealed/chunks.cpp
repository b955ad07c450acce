#include "formats/sealed/chunks.h"

#include <cstdlib>
#include <cstring>

#include "formats/sealed/sealed.h"
#include "platform/crypto/mac.h"

namespace mailhold::sealed {
namespace {

constexpr std::size_t sealed_chunk_size = chunk_size + tag_size;
// The trailing zero byte belongs to it: it ends the name of the AEAD.
constexpr std::string_view info_prefix("c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0", 48);

std::string info_of(std::string_view salt, std::string_view context) {
  std::string info;
  info.reserve(info_prefix.size() + salt.size() + context.size());
  info.append(info_prefix).append(salt).append(context);
  return info;
}

// Opens a whole message into `out`, which has room for its plaintext.
Status open_chunks(const MessageKeys& keys, std::string_view chunks, char* out) {
  crypto::AesGcm cipher(keys.cipher_key());
  for (std::uint64_t index = 0; !chunks.empty(); ++index) {
    const std::string_view chunk = chunks.substr(0, sealed_chunk_size);
    if (!cipher.open(ChunkNonce(keys.base_nonce(), index).view(), chunk, out)) return does_not_open();
    out += chunk.size() - tag_size;
    chunks.remove_prefix(chunk.size());
  }
  return done();
}

struct Parts {
  MessageKeys keys;
  std::string_view chunks;
  std::size_t plaintext_bytes;
};

// Checks sizes and the commitment: nothing is decrypted before.
Result<Parts> begin_opening(std::string_view key, std::string_view context, std::string_view message) {
  if (key.size() != key_size) return Error{ErrorKind::invalid_input, "a sealing key is 32 bytes"};
  if (message.size() < prefix_size) return does_not_open();
  const std::string_view chunks = message.substr(prefix_size);
  ASSIGN_OR_RETURN(const std::uint64_t plaintext_bytes, plaintext_of(chunks.size()));
  MessageKeys keys(key, message.substr(0, salt_size), context);
  if (!equals_in_constant_time(keys.commitment(), message.substr(salt_size, commitment_size))) return does_not_open();
  return Parts{std::move(keys), chunks, static_cast<std::size_t>(plaintext_bytes)};
}

}  // namespace

MessageKeys::MessageKeys(std::string_view key, std::string_view salt, std::string_view context)
    : bytes_(crypto::hkdf_expand_sha512(key, info_of(salt, context), key_size + crypto::AesGcm::nonce_size + commitment_size)) {}

ChunkNonce::ChunkNonce(std::string_view base_nonce, std::uint64_t index) {
  std::memcpy(bytes_, base_nonce.data(), sizeof bytes_);
  for (std::size_t i = 0; i < sizeof index; ++i) {
    char& byte = bytes_[sizeof bytes_ - 1 - i];
    byte = static_cast<char>(byte ^ static_cast<char>((index >> (8 * i)) & 0xff));
  }
}

Error does_not_open() { return Error{ErrorKind::corrupt, "the seal does not open"}; }

Result<std::uint64_t> plaintext_of(std::uint64_t chunks_bytes) {
  const std::uint64_t full = chunks_bytes / sealed_chunk_size;
  const std::uint64_t last = chunks_bytes % sealed_chunk_size;
  if (last < tag_size || full >= chunks_max) return does_not_open();  // the final chunk is short, but never without its tag
  return full * chunk_size + last - tag_size;
}

void append_message(std::string& out, std::string_view key, std::string_view salt, std::string_view context,
                    std::string_view plaintext) {
  if (key.size() != key_size || salt.size() != salt_size) std::abort();
  const MessageKeys keys(key, salt, context);
  crypto::AesGcm cipher(keys.cipher_key());
  out.reserve(out.size() + compact_size(plaintext.size()));
  out.append(salt).append(keys.commitment());
  for (std::uint64_t index = 0;; ++index) {
    const std::string_view chunk = plaintext.substr(0, chunk_size);
    const std::size_t at = out.size();
    out.resize(at + chunk.size() + tag_size);  // chunk by chunk: the zeroes written here are still in the cache below
    cipher.seal(ChunkNonce(keys.base_nonce(), index).view(), chunk, out.data() + at);
    if (chunk.size() < chunk_size) return;
    plaintext.remove_prefix(chunk.size());
  }
}

Result<std::string> open_message(std::string_view key, std::string_view context, std::string_view message) {
  ASSIGN_OR_RETURN(const Parts parts, begin_opening(key, context, message));
  std::string plaintext(parts.plaintext_bytes, '\0');
  RETURN_IF_ERROR(open_chunks(parts.keys, parts.chunks, plaintext.data()));
  return plaintext;
}

Result<Remains> open_message_remains(std::string_view key, std::string_view context, std::string_view message) {
  ASSIGN_OR_RETURN(const Parts parts, begin_opening(key, context, message));
  Remains remains{std::string(parts.plaintext_bytes, '\0'), {}};
  crypto::AesGcm cipher(parts.keys.cipher_key());
  char* out = remains.plaintext.data();
  std::string_view chunks = parts.chunks;
  for (std::uint64_t index = 0; !chunks.empty(); ++index) {
    const std::string_view chunk = chunks.substr(0, sealed_chunk_size);
    remains.opens.push_back(cipher.open(ChunkNonce(parts.keys.base_nonce(), index).view(), chunk, out));
    out += chunk.size() - tag_size;
    chunks.remove_prefix(chunk.size());
  }
  return remains;
}

Result<SecretText> open_message_secret(std::string_view key, std::string_view context, std::string_view message) {
  ASSIGN_OR_RETURN(const Parts parts, begin_opening(key, context, message));
  SecretText plaintext = SecretText::zeroed(parts.plaintext_bytes);
  RETURN_IF_ERROR(open_chunks(parts.keys, parts.chunks, plaintext.data()));
  return plaintext;
}

}  // namespace mailhold::sealed
