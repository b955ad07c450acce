// RowReader: opens single chunks of a large row without reading the rest of it.
// The commitment is checked by start(); each chunk is authenticated by itself, with its place. To trust the length,
// open the last chunk: only the true last chunk is short. An object serves one thread at a time.
//
// Design: docs/formats/sealed.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret_text.h"
#include "formats/sealed/context.h"

namespace mailhold::crypto {
class AesGcm;
}

namespace mailhold::sealed {

class RowReader {
 public:
  struct Span {
    std::uint64_t offset = 0;  // in the row
    std::size_t bytes = 0;
  };

  // `prefix` is the first row_prefix_size bytes of the row, `row_bytes` the size of the whole row.
  // corrupt if the key or the context is not the right one, or if no row has that size.
  static Result<RowReader> start(std::string_view key, const Context& context, std::string_view prefix, std::uint64_t row_bytes);
  RowReader(RowReader&&) noexcept;
  RowReader& operator=(RowReader&&) noexcept;
  ~RowReader();

  std::uint64_t chunk_count() const { return chunk_count_; }  // at least one
  std::uint64_t plaintext_bytes() const { return plaintext_bytes_; }
  Span chunk_span(std::uint64_t index) const;  // where chunk `index` lies; index < chunk_count()

  // `bytes` is what lies at chunk_span(index). corrupt if it is not that chunk; invalid_input past the last chunk.
  Result<std::string> open_chunk(std::uint64_t index, std::string_view bytes);

 private:
  RowReader();
  std::unique_ptr<crypto::AesGcm> cipher_;
  SecretText base_nonce_;
  std::uint64_t chunk_count_ = 0;
  std::uint64_t plaintext_bytes_ = 0;
};

}  // namespace mailhold::sealed
