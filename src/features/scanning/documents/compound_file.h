// A compound file (MS-CFB): the small file system in which office programs kept their documents until 2007. Read in memory,
// bounded by the size of the file, however its chains of sectors turn.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailhold::scanning {

class CompoundFile {
 public:
  static bool is_one(std::string_view bytes);  // by its first bytes

  // Nothing: it is none, or its tables or its directory do not open. The bytes outlive it.
  static std::optional<CompoundFile> open(std::string_view file);

  // A stream of that name, in no folder. Nothing: there is none, or it breaks off.
  std::optional<std::string> stream(std::string_view name) const;

 private:
  struct Entry {
    std::string name;
    std::uint8_t type = 0;
    std::uint32_t left = 0, right = 0, child = 0;
    std::uint32_t first = 0;
    std::uint32_t bytes = 0;
  };
  using Table = std::vector<std::uint32_t>;  // of each sector, the next in its chain

  explicit CompoundFile(std::string_view file) : file_(file) {}
  bool load();
  bool load_table();
  void add_to_table(std::uint32_t sector);
  bool load_directory();
  void keep_streams_of_root(const std::vector<Entry>& entries);
  std::string_view sector(std::uint32_t number) const;
  std::optional<std::string> chain(std::uint32_t first) const;

  std::string_view file_;
  unsigned sector_bits_ = 0;
  Table table_, small_table_;
  std::string small_sectors_;  // streams of less than 4096 bytes lie in here, in sectors of 64
  std::vector<Entry> streams_;
};

}  // namespace mailhold::scanning
