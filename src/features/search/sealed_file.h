// SealedFile: the bytes of a segment, sealed in chunks in a file: written once, then opened chunk by chunk as they are asked
// for. Nothing of it is believed that was not opened under the tenant's key in the place where it lies. Internal to this room.
//
// Design: docs/formats/search.md
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/result.h"
#include "base/secret_text.h"
#include "formats/sealed/chunk_file.h"
#include "platform/ipc/channel.h"

namespace mailhold::search {

// Whose files, and under which key.
struct Place {
  std::string region;
  Id tenant;
  std::uint32_t key_version = 1;
  SecretText key;
  std::filesystem::path folder;  // of this tenant alone

  sealed::Context context(sealed::Kind kind, Id object, std::uint16_t field, std::uint64_t version) const;
};

inline constexpr std::size_t page_bytes = 16 * 1024;  // of SQLite, and of a sealed chunk

class SealedFile {
 public:
  // Durable when this returns, under its own name or not at all. `pages` are whole pages; it is padded with empty ones.
  static Status write(const Place& place, Id segment, std::string_view pages);
  // corrupt: it is not that segment of that tenant, or was cut off or lengthened. not_found
  static Result<std::unique_ptr<SealedFile>> open(const Place& place, Id segment);

  std::uint64_t bytes() const { return reader_.plaintext_bytes(); }  // with its padding
  // The page that holds the byte at `index * page_bytes`; the one opened last is kept. corrupt
  Result<std::string_view> page(std::uint64_t index);

 private:
  SealedFile(ipc::OwnedFd file, sealed::ChunkReader reader) : file_(std::move(file)), reader_(std::move(reader)) {}
  ipc::OwnedFd file_;
  sealed::ChunkReader reader_;
  std::string sealed_;
  std::string page_;
  std::uint64_t at_ = ~std::uint64_t{0};
};

// Writes a file beside its place, flushes it and renames it into its place, and flushes the folder. unavailable
Status write_durably(const std::filesystem::path& path, const std::function<Status(int file)>& write);
Status write_all(int file, std::string_view bytes);

}  // namespace mailhold::search
