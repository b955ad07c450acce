#include "core/backup/manifest.h"

#include <algorithm>

#include "base/text.h"

namespace mailhold::backup {
namespace {

constexpr std::string_view first_line = "mailhold-backup-1";
constexpr std::size_t files_max = 10'000'000;
constexpr std::size_t path_bytes_max = 1024;
constexpr std::size_t sha256_digits = 64;

Error damaged(std::size_t line) { return {ErrorKind::corrupt, "the manifest is damaged in line " + std::to_string(line)}; }

bool is_safe(std::string_view path) {
  if (path.empty() || path.size() > path_bytes_max) return false;
  for (const std::string_view name : split(path, '/')) {
    if (name.empty() || name == "." || name == "..") return false;
  }
  return std::all_of(path.begin(), path.end(), [](char each) { return each > ' ' && each < 0x7f; });
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char each) { return (each >= '0' && each <= '9') || (each >= 'a' && each <= 'f'); });
}

}  // namespace

std::string write_manifest(const Manifest& manifest) {
  std::string text = std::string(first_line) + " " + std::to_string(manifest.made_at) + "\n";
  for (const ManifestFile& file : manifest.files)
    text += file.sha256 + " " + std::to_string(file.size) + " " + std::to_string(file.mode) + " " + file.path + "\n";
  return text;
}

Result<Manifest> parse_manifest(std::string_view text) {
  Manifest manifest;
  std::size_t number = 0;
  if (text.empty() || text.back() != '\n') return damaged(1);
  text.remove_suffix(1);
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    const auto words = split(line, ' ');
    if (number == 1) {
      const auto time = words.size() == 2 && words[0] == first_line ? to_number(words[1]) : std::nullopt;
      if (!time) return damaged(number);
      manifest.made_at = static_cast<Milliseconds>(*time);
      continue;
    }
    if (words.size() != 4 || words[0].size() != sha256_digits || !is_hex(words[0]) || manifest.files.size() >= files_max)
      return damaged(number);
    const auto size = to_number(words[1]);
    const auto mode = to_number(words[2]);
    if (!size || !mode || *mode > 0777 || !is_safe(words[3])) return damaged(number);
    manifest.files.push_back({std::string(words[3]), std::string(words[0]), *size, static_cast<unsigned>(*mode)});
  }
  return manifest;
}

}  // namespace mailhold::backup
