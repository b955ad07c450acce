#include "core/backup/backup_set.h"

#include <fstream>

#include "base/text.h"
#include "platform/crypto/hash.h"

namespace mailhold::backup {
namespace {

namespace fs = std::filesystem;

bool is_of_a_store(std::string_view path) { return path.starts_with("store/") || path.starts_with("backup/"); }

}  // namespace

bool is_of_keys(std::string_view path) { return path.starts_with("keystore/") || (is_of_a_store(path) && path.ends_with(".db")); }

bool is_object(std::string_view path) { return is_of_a_store(path) && !path.ends_with(".db"); }

Result<BackupSet> open_set(const fs::path& folder) {
  std::ifstream file(folder / manifest_name, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.empty()) return Error{ErrorKind::not_found, folder.string() + " is no complete backup: it has no manifest"};
  auto manifest = parse_manifest(text);
  if (!manifest) return std::move(manifest.error()).while_doing("reading the backup " + folder.string());
  return BackupSet{folder, std::move(*manifest), to_hex(crypto::sha256(text)), fs::exists(folder / pruned_name)};
}

}  // namespace mailhold::backup
