// Seals bytes under a key and a context, and opens them again. Keys are 32 uniformly random bytes.
//
// A row ("CB01") names its key, so that a reader can find it; a compact message is the bare C2SP ciphertext for
// small tokens whose place names the key. Salts are fresh from the kernel: no counter to keep, safe after fork.
// Opening gives `corrupt` for whatever is wrong: key, context, order, length or any single bit. The key commitment
// is compared before anything is decrypted. Any thread.
//
// Design: docs/formats/sealed.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "base/secret_text.h"
#include "formats/sealed/context.h"

namespace mailhold::sealed {

inline constexpr std::size_t key_size = 32;
inline constexpr std::size_t salt_size = 24;
inline constexpr std::size_t commitment_size = 32;
inline constexpr std::size_t prefix_size = salt_size + commitment_size;  // of a compact message
inline constexpr std::size_t chunk_size = 16 * 1024;                     // of plaintext
inline constexpr std::size_t tag_size = 16;
inline constexpr std::size_t row_header_size = 4 + 1 + Id::size + 4 + 8;
inline constexpr std::size_t row_prefix_size = row_header_size + prefix_size;

// How long the sealed form of so many bytes is.
std::size_t compact_size(std::size_t plaintext_bytes);
std::size_t row_size(std::size_t plaintext_bytes);

std::string seal(std::string_view key, const Context& context, std::string_view plaintext);
void append_sealed(std::string& out, std::string_view key, const Context& context, std::string_view plaintext);
Result<std::string> open(std::string_view key, const Context& context, std::string_view row);
Result<SecretText> open_secret(std::string_view key, const Context& context, std::string_view row);

// What a row says of itself: enough to look for its key, nothing to trust. open() compares it with the context.
struct RowHeader {
  Id key_id;
  std::uint32_t key_version = 0;
  std::uint64_t version = 0;
};
Result<RowHeader> read_row_header(std::string_view row);  // corrupt if it is no row

std::string seal_compact(std::string_view key, const Context& context, std::string_view plaintext);
Result<std::string> open_compact(std::string_view key, const Context& context, std::string_view message);
Result<SecretText> open_compact_secret(std::string_view key, const Context& context, std::string_view message);

// What is left of a damaged message: chunks that open, each at its place, and zeros for the others.
struct Remains {
  std::string plaintext;
  std::vector<bool> opens;                            // by chunk
  bool has(std::size_t at, std::size_t count) const;  // whether all of these bytes are what was sealed
};
// Where the length of the message is known: of bytes that were cut off it tells nothing. corrupt where not even salt and
// commitment are right, so that no chunk can be opened.
Result<Remains> open_compact_remains(std::string_view key, const Context& context, std::string_view message);

}  // namespace mailhold::sealed
