// A ZIP archive of uncompressed entries, for tests and fuzzers of what reads one: a changed byte inside stays readable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mailhold {

inline std::string stored_zip(const std::vector<std::pair<std::string, std::string>>& entries) {
  using namespace std::string_view_literals;
  const auto number = [](std::uint64_t value, int bytes) {
    std::string out;
    for (; bytes > 0; --bytes, value >>= 8U) out += static_cast<char>(value & 0xFFU);
    return out;
  };
  std::string archive, directory;
  for (const auto& [name, bytes] : entries) {
    // Version, flags, method, time, date, CRC (nobody here looks at it), both sizes.
    const std::string both = number(20, 2) + std::string(12, '\0') + number(bytes.size(), 4) + number(bytes.size(), 4) +
                             number(name.size(), 2) + std::string(2, '\0');
    directory += "PK\1\2"sv;
    directory += number(20, 2) + both + std::string(10, '\0') + number(archive.size(), 4) + name;
    archive += "PK\3\4"sv;
    archive += both + name + bytes;
  }
  const std::string end =
      std::string(4, '\0') + number(entries.size(), 2) + number(entries.size(), 2) + number(directory.size(), 4);
  const std::string place = number(archive.size(), 4);
  return archive + directory + "PK\5\6" + end + place + std::string(2, '\0');
}

}  // namespace mailhold
