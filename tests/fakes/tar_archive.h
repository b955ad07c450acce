// A tar archive (POSIX, with GNU's long names), for tests and fuzzers of what reads one.
#pragma once

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace mailhold {

inline std::string tar_archive(const std::vector<std::pair<std::string, std::string>>& files) {
  constexpr std::size_t block = 512, name_max = 100, checksum_at = 148;
  std::string archive;
  const auto add = [&](const std::string& name, char type, const std::string& content) {
    const auto octal = [](std::size_t value, int digits) {
      std::string text(static_cast<std::size_t>(digits) + 1, '\0');
      std::snprintf(text.data(), text.size(), "%0*zo", digits, value);
      return text;
    };
    std::string header = name.substr(0, name_max);
    header.resize(name_max);
    header += octal(0644, 7) + octal(0, 7) + octal(0, 7) + octal(content.size(), 11) + octal(0, 11) + std::string(8, ' ') + type;
    header.resize(257);
    header += std::string("ustar\0", 6) + "00";
    header.resize(block);
    std::size_t sum = 0;
    for (const char byte : header) sum += static_cast<unsigned char>(byte);
    header.replace(checksum_at, 7, octal(sum, 6));
    archive += header + content;
    archive.resize((archive.size() + block - 1) / block * block);
  };
  for (const auto& [name, content] : files) {
    if (name.size() > name_max) add("././@LongLink", 'L', name + '\0');
    add(name, '0', content);
  }
  archive.resize(archive.size() + 2 * block);
  return archive;
}

}  // namespace mailhold
