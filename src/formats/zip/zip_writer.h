// ZipWriter: a ZIP file as a stream of bytes, entry after entry; any size (ZIP64). One thread.
//
// APPNOTE.TXT 6.3.10: sections 4.3 (layout), 4.4.4 (bit 3: sizes behind the data, bit 11: names in UTF-8), 4.5.3 (ZIP64).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace mailhold::zip {

inline constexpr std::size_t name_bytes_max = 4096;
inline constexpr std::size_t entries_max = 1'000'000;

class ZipWriter {
 public:
  // Takes the bytes of the file in order. Its errors are handed on, and the file is then worth nothing.
  using Sink = std::function<Status(std::string_view bytes)>;
  explicit ZipWriter(Sink sink);
  ~ZipWriter();

  // begin, any number of writes, end: one entry, compressed. `name` with "/" between folders, never absolute; each once:
  // the caller sees to it. limit_exceeded: name too long, too many entries.
  Status begin(std::string_view name, Milliseconds changed_at);
  Status write(std::string_view bytes);
  Status end();
  Status add(std::string_view name, Milliseconds changed_at, std::string_view bytes);

  // The directory at the end, after the last entry. Nothing may be called behind it.
  Status finish();
  std::uint64_t bytes_written() const { return position_; }

 private:
  struct Entry {
    std::string name;
    std::uint32_t dos_time = 0;
    std::uint32_t crc = 0;
    std::uint64_t stored = 0;
    std::uint64_t bytes = 0;
    std::uint64_t offset = 0;
  };
  struct Deflater;
  Status put(std::string_view bytes);
  Status deflate(std::string_view bytes, bool last);
  Status write_directory_entry(const Entry& entry);

  const Sink sink_;
  std::uint64_t position_ = 0;
  std::vector<Entry> entries_;
  std::unique_ptr<Deflater> deflater_;
};

}  // namespace mailhold::zip
