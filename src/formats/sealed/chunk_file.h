// Large rows piece by piece: ChunkWriter seals one that is made as it is written, ChunkReader opens single chunks of one that
// lies in a file. The bytes are those of seal() and open() (sealed.h). One thread at a time.
//
// Design: docs/formats/sealed.md
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "formats/sealed/context.h"

namespace mailhold::sealed {

inline constexpr std::size_t sealed_chunk_bytes = 16 * 1024 + 16;

class ChunkWriter {
 public:
  ChunkWriter(std::string_view key, const Context& context);
  ~ChunkWriter();

  const std::string& head() const { return head_; }  // goes first: the row's header, salt and commitment
  // The next chunk: chunk_size bytes, or fewer (none at all, too) for the last one.
  std::string seal_next(std::string_view plaintext);

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::string head_;
};

class ChunkReader {
 public:
  // `head` is the first row_prefix_size bytes of a row that is `row_bytes` long. corrupt unless it was sealed under this key and
  // context, and has a length that rows have. Open the last chunk before anything is believed of the length.
  static Result<ChunkReader> begin(std::string_view key, const Context& context, std::string_view head, std::uint64_t row_bytes);
  ChunkReader(ChunkReader&&) noexcept;
  ChunkReader& operator=(ChunkReader&&) noexcept;
  ~ChunkReader();

  std::uint64_t chunks() const { return chunks_; }
  std::uint64_t plaintext_bytes() const { return plaintext_bytes_; }
  std::uint64_t place_of(std::uint64_t index) const;      // of the sealed chunk in the row
  std::size_t sealed_size_of(std::uint64_t index) const;  // of it
  // Writes its plaintext to `out`, which has room for sealed.size() - tag_size bytes. corrupt
  Status open(std::uint64_t index, std::string_view sealed, char* out) const;

 private:
  struct State;
  ChunkReader(std::unique_ptr<State> state, std::uint64_t chunks, std::uint64_t plaintext_bytes);
  std::unique_ptr<State> state_;
  std::uint64_t chunks_;
  std::uint64_t plaintext_bytes_;
};

}  // namespace mailhold::sealed
