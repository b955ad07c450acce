#include "core/evidence/export_check.h"

#include <fcntl.h>
#include <unistd.h>

#include <set>

#include "base/text.h"
#include "core/evidence/log_reader.h"
#include "core/evidence/receipt.h"
#include "platform/crypto/hash.h"

namespace mailhold::ledger {
namespace {

constexpr const char* manifest_name = "MANIFEST.sha256";
constexpr const char* receipt_name = "MANIFEST.receipt";
constexpr std::size_t receipt_bytes_max = 1U << 20;
constexpr std::size_t hash_digits = 2 * crypto::sha256_size;

bool leaves_the_folder(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.find('\\') != std::string_view::npos) return true;
  for (const std::string_view part : split(name, '/')) {
    if (part.empty() || part == "." || part == "..") return true;
  }
  return false;
}

Result<std::string> hash_of_file(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) return Error{ErrorKind::not_found, "missing: " + path.string()};
  crypto::Sha256 hash;
  std::string buffer(1U << 18, '\0');
  ssize_t count = 0;
  while ((count = ::read(file, buffer.data(), buffer.size())) > 0)
    hash.update(std::string_view(buffer).substr(0, static_cast<std::size_t>(count)));
  ::close(file);
  if (count < 0) return Error{ErrorKind::unavailable, path.string() + " can't be read"};
  return hash.finish();
}

// The files below the folder, by the names a manifest gives them.
Result<std::set<std::string>> files_below(const std::filesystem::path& folder) {
  std::set<std::string> names;
  std::error_code problem;
  for (auto entry = std::filesystem::recursive_directory_iterator(folder, problem);
       !problem && entry != std::filesystem::recursive_directory_iterator(); entry.increment(problem)) {
    if (entry->is_symlink()) return Error{ErrorKind::corrupt, "a symbolic link: " + entry->path().string()};
    if (!entry->is_directory()) names.insert(entry->path().lexically_relative(folder).generic_string());
  }
  if (problem) return Error{ErrorKind::invalid_input, folder.string() + ": " + problem.message()};
  return names;
}

Result<std::string> text_field(const Entry& entry, const std::string& name) {
  const auto found = entry.fields.find(name);
  const auto* text = found == entry.fields.end() ? nullptr : std::get_if<std::string>(&found->second);
  if (text == nullptr) return Error{ErrorKind::corrupt, "the entry of the receipt has no " + name};
  return *text;
}

std::int64_t number_field(const Entry& entry, const std::string& name) {
  const auto found = entry.fields.find(name);
  const auto* number = found == entry.fields.end() ? nullptr : std::get_if<std::int64_t>(&found->second);
  return number == nullptr ? 0 : *number;
}

Status check_receipt(const std::string& bytes, const std::string& manifest, const tlog::NoteKey& key, ExportVerdict& verdict) {
  ASSIGN_OR_RETURN(const Receipt receipt, Receipt::parse(bytes));
  ASSIGN_OR_RETURN(const Entry said, parse_clear_text(receipt.clear_text));
  Expected expected;
  expected.tenant = said.tenant;  // whose it is, is what the verdict says
  expected.type = std::string(export_entry_type);
  expected.fields = {{"manifest", to_hex(crypto::sha256(manifest))}};
  // As of its own time: it proves what was done, and allows nothing any more.
  ASSIGN_OR_RETURN(const Entry entry, verify_receipt(receipt, key, expected, receipt.time));
  ASSIGN_OR_RETURN(verdict.mailbox, text_field(entry, "mailbox"));
  verdict.tenant = entry.tenant;
  verdict.items = number_field(entry, "items");
  verdict.failed = number_field(entry, "failed");
  verdict.at = receipt.time;
  verdict.index = receipt.index;
  return done();
}

Status check_files(const std::filesystem::path& folder, const std::string& manifest, ExportVerdict& verdict) {
  ASSIGN_OR_RETURN(const std::vector<ManifestLine> lines, parse_manifest(manifest));
  ASSIGN_OR_RETURN(std::set<std::string> there, files_below(folder));
  there.erase(manifest_name);
  there.erase(receipt_name);
  for (const ManifestLine& line : lines) {
    ASSIGN_OR_RETURN(const std::string hash, hash_of_file(folder / line.name));
    if (hash != line.sha256) return Error{ErrorKind::corrupt, "changed: " + line.name};
    there.erase(line.name);
  }
  if (!there.empty()) return Error{ErrorKind::corrupt, "not of this export: " + *there.begin()};
  verdict.files = lines.size();
  return done();
}

Status check(const std::filesystem::path& folder, const tlog::NoteKey& key, ExportVerdict& verdict) {
  ASSIGN_OR_RETURN(const std::string manifest, read_file(folder / manifest_name, manifest_bytes_max));
  ASSIGN_OR_RETURN(const std::string receipt, read_file(folder / receipt_name, receipt_bytes_max));
  RETURN_IF_ERROR(check_receipt(receipt, manifest, key, verdict));
  return check_files(folder, manifest, verdict);
}

}  // namespace

Result<std::vector<ManifestLine>> parse_manifest(std::string_view text) {
  std::vector<ManifestLine> lines;
  std::set<std::string_view> names;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    const std::string where = "line " + std::to_string(lines.size() + 1) + " of the manifest";
    const auto hash = from_hex(line.substr(0, std::min(hash_digits, line.size())));
    if (end == std::string_view::npos || line.size() <= hash_digits + 2 || !hash || line.substr(hash_digits, 2) != "  ")
      return Error{ErrorKind::invalid_input, where + " is not a hash and a name"};
    const std::string_view name = line.substr(hash_digits + 2);
    if (leaves_the_folder(name)) return Error{ErrorKind::invalid_input, where + " names a file outside"};
    if (!names.insert(name).second) return Error{ErrorKind::invalid_input, where + " names a file twice"};
    lines.push_back({std::string(name), *hash});
    text.remove_prefix(end + 1);
  }
  return lines;
}

ExportVerdict verify_export(const std::filesystem::path& folder, const tlog::NoteKey& key) {
  ExportVerdict verdict;
  const Status checked = check(folder, key, verdict);
  verdict.sound = static_cast<bool>(checked);
  if (!checked) verdict.fault = checked.error().detail;
  return verdict;
}

}  // namespace mailhold::ledger
