#include "formats/sealed/chunk_file.h"

#include <cstdlib>

#include "base/bytes.h"
#include "base/random.h"
#include "formats/sealed/chunks.h"
#include "formats/sealed/sealed.h"

namespace mailhold::sealed {

struct ChunkWriter::State {
  MessageKeys keys;
  crypto::AesGcm cipher;
  std::uint64_t next = 0;
  State(std::string_view key, std::string_view salt, std::string_view context)
      : keys(key, salt, context), cipher(keys.cipher_key()) {}
};

ChunkWriter::ChunkWriter(std::string_view key, const Context& context) {
  if (key.size() != key_size) std::abort();
  const std::string salt = random_bytes(salt_size);
  state_ = std::make_unique<State>(key, salt, context.encode());
  head_ = row_header(context);
  head_.append(salt).append(state_->keys.commitment());
}

ChunkWriter::~ChunkWriter() = default;

std::string ChunkWriter::seal_next(std::string_view plaintext) {
  if (plaintext.size() > chunk_size) std::abort();
  std::string sealed(plaintext.size() + tag_size, '\0');
  state_->cipher.seal(ChunkNonce(state_->keys.base_nonce(), state_->next++).view(), plaintext, sealed.data());
  return sealed;
}

struct ChunkReader::State {
  MessageKeys keys;
  crypto::AesGcm cipher;
  explicit State(MessageKeys derived) : keys(std::move(derived)), cipher(keys.cipher_key()) {}
};

ChunkReader::ChunkReader(std::unique_ptr<State> state, std::uint64_t chunks, std::uint64_t plaintext_bytes)
    : state_(std::move(state)), chunks_(chunks), plaintext_bytes_(plaintext_bytes) {}
ChunkReader::ChunkReader(ChunkReader&&) noexcept = default;
ChunkReader& ChunkReader::operator=(ChunkReader&&) noexcept = default;
ChunkReader::~ChunkReader() = default;

Result<ChunkReader> ChunkReader::begin(std::string_view key, const Context& context, std::string_view head,
                                       std::uint64_t row_bytes) {
  if (key.size() != key_size) return Error{ErrorKind::invalid_input, "a sealing key is 32 bytes"};
  if (head.size() != row_prefix_size || row_bytes < row_prefix_size) return does_not_open();
  RETURN_IF_ERROR(check_row_header(context, head));
  ASSIGN_OR_RETURN(const std::uint64_t plaintext_bytes, plaintext_of(row_bytes - row_prefix_size));
  const std::string_view salt = head.substr(row_header_size, salt_size);
  MessageKeys keys(key, salt, context.encode());
  if (!equals_in_constant_time(keys.commitment(), head.substr(row_header_size + salt_size))) return does_not_open();
  return ChunkReader(std::make_unique<State>(std::move(keys)), plaintext_bytes / chunk_size + 1, plaintext_bytes);
}

std::uint64_t ChunkReader::place_of(std::uint64_t index) const { return row_prefix_size + index * sealed_chunk_bytes; }

std::size_t ChunkReader::sealed_size_of(std::uint64_t index) const {
  if (index + 1 < chunks_) return sealed_chunk_bytes;
  return static_cast<std::size_t>(plaintext_bytes_ % chunk_size) + tag_size;
}

Status ChunkReader::open(std::uint64_t index, std::string_view sealed, char* out) const {
  if (index >= chunks_ || sealed.size() != sealed_size_of(index)) return does_not_open();
  if (!state_->cipher.open(ChunkNonce(state_->keys.base_nonce(), index).view(), sealed, out)) return does_not_open();
  return done();
}

}  // namespace mailhold::sealed
