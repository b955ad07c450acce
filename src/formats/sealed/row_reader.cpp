#include "formats/sealed/row_reader.h"

#include "formats/sealed/chunks.h"
#include "formats/sealed/sealed.h"

namespace mailhold::sealed {

RowReader::RowReader() = default;
RowReader::RowReader(RowReader&&) noexcept = default;
RowReader& RowReader::operator=(RowReader&&) noexcept = default;
RowReader::~RowReader() = default;

Result<RowReader> RowReader::start(std::string_view key, const Context& context, std::string_view prefix,
                                   std::uint64_t row_bytes) {
  if (key.size() != key_size) return Error{ErrorKind::invalid_input, "a sealing key is 32 bytes"};
  if (prefix.size() != row_prefix_size || row_bytes < row_prefix_size) return does_not_open();
  ASSIGN_OR_RETURN(const RowHeader header, read_row_header(prefix));
  if (header.key_id != context.key_id || header.key_version != context.key_version || header.version != context.version) {
    return does_not_open();
  }
  RowReader reader;
  const std::uint64_t chunks_bytes = row_bytes - row_prefix_size;
  ASSIGN_OR_RETURN(reader.plaintext_bytes_, plaintext_of(chunks_bytes));
  reader.chunk_count_ = chunks_bytes / (chunk_size + tag_size) + 1;
  const MessageKeys keys(key, prefix.substr(row_header_size, salt_size), context.encode());
  if (!equals_in_constant_time(keys.commitment(), prefix.substr(row_header_size + salt_size))) return does_not_open();
  reader.cipher_ = std::make_unique<crypto::AesGcm>(keys.cipher_key());
  reader.base_nonce_ = SecretText::copy_of(keys.base_nonce());
  return reader;
}

RowReader::Span RowReader::chunk_span(std::uint64_t index) const {
  const bool last = index + 1 == chunk_count_;
  const std::size_t plain = last ? static_cast<std::size_t>(plaintext_bytes_ % chunk_size) : chunk_size;
  return {row_prefix_size + index * (chunk_size + tag_size), plain + tag_size};
}

Result<std::string> RowReader::open_chunk(std::uint64_t index, std::string_view bytes) {
  if (index >= chunk_count_) return Error{ErrorKind::invalid_input, "no such chunk"};
  if (bytes.size() != chunk_span(index).bytes) return does_not_open();
  std::string plaintext(bytes.size() - tag_size, '\0');
  if (!cipher_->open(ChunkNonce(base_nonce_.reveal(), index).view(), bytes, plaintext.data())) return does_not_open();
  return plaintext;
}

}  // namespace mailhold::sealed
