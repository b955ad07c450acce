#include "core/evidence/log_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "base/text.h"
#include "core/evidence/tile_nodes.h"
#include "platform/crypto/ed25519.h"

namespace mailhold::ledger {
namespace {

constexpr std::size_t journal_name_digits = 19;  // a log has fewer than 2^63 entries
constexpr std::size_t journal_file_bytes_max = std::size_t{4} << 30;
constexpr std::size_t bundle_file_bytes_max = tlog::tile_width * (tlog::entry_bytes_max + 2);

enum class Source { page_cache, disk };

Result<std::string> read_whole(const std::filesystem::path& path, std::size_t bytes_max, Source source) {
  const auto failed = [&](int number) {
    return Error{number == ENOENT ? ErrorKind::not_found : ErrorKind::unavailable, path.string() + ": " + std::strerror(number)};
  };
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) return failed(errno);
  if (source == Source::disk) ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  std::string bytes;
  struct stat attributes{};
  if (::fstat(file, &attributes) == 0 && attributes.st_size > 0) bytes.reserve(static_cast<std::size_t>(attributes.st_size) + 1);
  std::string piece(1U << 18, '\0');
  for (;;) {
    const ssize_t count = ::read(file, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    const int number = errno;
    if (count > 0) bytes.append(piece.data(), static_cast<std::size_t>(count));
    if (count <= 0 || bytes.size() > bytes_max) {
      ::close(file);
      if (count < 0) return failed(number);
      if (bytes.size() > bytes_max) return Error{ErrorKind::corrupt, path.string() + ": too long"};
      return bytes;
    }
  }
}

}  // namespace

std::filesystem::path journal_path(const std::filesystem::path& folder, std::uint64_t first) {
  const std::string digits = std::to_string(first);
  return folder / "journal" / (std::string(journal_name_digits - digits.size(), '0') + digits);
}

Result<std::map<std::uint64_t, std::filesystem::path>> find_journals(const std::filesystem::path& folder) {
  std::map<std::uint64_t, std::filesystem::path> journals;
  std::error_code failure;
  for (std::filesystem::directory_iterator file(folder / "journal", failure), end; !failure && file != end;
       file.increment(failure)) {
    const std::string name = file->path().filename();
    const auto first = name.size() == journal_name_digits ? to_number(name) : std::nullopt;
    if (first) journals.emplace(*first, file->path());
  }
  if (failure && failure != std::errc::no_such_file_or_directory) {
    return Error{ErrorKind::unavailable, "ledger: journals cannot be listed: " + failure.message()};
  }
  return journals;
}

Result<std::string> read_from_disk(const std::filesystem::path& path, std::size_t bytes_max) {
  return read_whole(path, bytes_max, Source::disk);
}
Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max) {
  return read_whole(path, bytes_max, Source::page_cache);
}

Error LogReader::wrong(std::uint64_t index, const std::string& what) {
  first_wrong_ = index;
  return Error{ErrorKind::corrupt, "ledger entry " + std::to_string(index) + ": " + what};
}

Status LogReader::read() {
  RETURN_IF_ERROR(read_checkpoint());
  if (snapshot_) RETURN_IF_ERROR(use_snapshot());
  if (journal_ == Journal::checked) RETURN_IF_ERROR(read_journals());
  RETURN_IF_ERROR(read_bundles());
  return read_rest_of_journals();
}

Status LogReader::read_checkpoint() {
  ASSIGN_OR_RETURN(checkpoint_note, read_from_disk(folder_ / "checkpoint", tlog::note_bytes_max));
  ASSIGN_OR_RETURN(checkpoint, tlog::open_checkpoint(checkpoint_note, key_));
  return done();
}

// The tiles must lead to the snapshot's root, and in the end to the checkpoint's: then the entries before it are those that were
// verified when it was made. Whether their files are still whole is for a full verification to say.
Status LogReader::use_snapshot() {
  if (snapshot_->size > checkpoint.size) {
    return Error{ErrorKind::corrupt, "ledger: rolled back: the checkpoint has " + std::to_string(checkpoint.size) +
                                         " entries, its state snapshot was of " + std::to_string(snapshot_->size)};
  }
  const TileNodes nodes(folder_, checkpoint.size);
  const auto root = tlog::root_of(nodes, snapshot_->size);
  auto restored = tlog::Tree::restore(nodes, snapshot_->size);
  if (!root || *root != snapshot_->root || !restored) {
    log_warning("ledger", "the tiles do not lead to the root of the state snapshot, so that everything is read");
    return done();
  }
  tree = std::move(*restored);
  chains = std::move(snapshot_->chains);
  last_at = snapshot_->last_at;
  started_from_ = snapshot_->size;
  return done();
}

Status LogReader::read_journals() {
  ASSIGN_OR_RETURN(auto journals, find_journals(folder_));
  if (journals.empty()) return Error{ErrorKind::corrupt, "ledger: the journal is missing"};
  journal_first_ = journals.begin()->first;
  journal_end_ = journal_first_;
  for (const auto& [first, path] : journals) {
    if (first != journal_end_) return wrong(journal_end_, "missing: the next journal begins at " + std::to_string(first));
    RETURN_IF_ERROR(read_journal(first, path, first == journals.rbegin()->first));
  }
  if (journal_first_ > checkpoint.size) return wrong(checkpoint.size, "missing between checkpoint and journal");
  if (journal_end_ < checkpoint.size) return wrong(journal_end_, "missing in the journal, which ends before the checkpoint");
  return done();
}

Status LogReader::read_journal(std::uint64_t first, const std::filesystem::path& path, bool is_last) {
  ASSIGN_OR_RETURN(std::string bytes, read_from_disk(path, journal_file_bytes_max));
  journal_bytes_.push_back(std::move(bytes));
  const std::string_view journal = journal_bytes_.back();
  for (std::size_t offset = 0; offset < journal.size();) {
    ParsedBatch parsed = parse_batch(journal, offset);
    if (parsed.state == BatchState::torn && is_last && offset + parsed.bytes == journal.size()) {
      torn = Torn{path, offset};
      return done();
    }
    if (parsed.state != BatchState::whole) return wrong(journal_end_, "journal " + std::to_string(first) + " is damaged");
    if (parsed.batch.first != journal_end_)
      return wrong(journal_end_, "journal goes on at " + std::to_string(parsed.batch.first));
    journal_end_ = parsed.batch.end();
    offset += parsed.bytes;
    batches_.emplace(journal_end_, std::move(parsed.batch));
  }
  return done();
}

std::string_view LogReader::journal_entry(std::uint64_t index) const {
  const auto& [end, batch] = *batches_.upper_bound(index);
  return batch.entries[index - batch.first];
}

Status LogReader::read_bundles() {
  const std::uint64_t size = checkpoint.size;
  open_entries_first = size / tlog::tile_width * tlog::tile_width;
  for (const tlog::Tile& bundle : tlog::new_bundles(started_from_ / tlog::tile_width * tlog::tile_width, size)) {
    RETURN_IF_ERROR(read_bundle(bundle));
    if (bundle.width < tlog::tile_width) break;
    // The tiles that this bundle completed; their nodes are then no longer needed.
    std::vector<tlog::Tile> complete = tlog::new_tiles(tree.size() - tlog::tile_width, tree.size());
    std::erase_if(complete, [](const tlog::Tile& tile) { return tile.width < tlog::tile_width; });
    RETURN_IF_ERROR(check_tiles(complete));
    tree.forget_before(tree.size());
  }
  std::vector<tlog::Tile> edge = tlog::tiles_of(size);
  std::erase_if(edge, [](const tlog::Tile& tile) { return tile.width == tlog::tile_width; });
  RETURN_IF_ERROR(check_tiles(edge));
  if (tree.root() != checkpoint.root)
    return Error{ErrorKind::corrupt, "ledger: entries do not lead to the root of the checkpoint"};
  return done();
}

// Falls back to the full tile, which may have replaced a partial one.
Result<std::string> LogReader::read_tile_file(const tlog::Tile& tile, std::uint64_t first_index) {
  auto bytes = read_from_disk(folder_ / tlog::path_of(tile), bundle_file_bytes_max);
  if (!bytes && bytes.error().kind == ErrorKind::not_found && tile.width < tlog::tile_width) {
    tlog::Tile full = tile;
    full.width = tlog::tile_width;
    bytes = read_from_disk(folder_ / tlog::path_of(full), bundle_file_bytes_max);
  }
  if (!bytes && bytes.error().kind == ErrorKind::not_found) return wrong(first_index, "missing: " + tlog::path_of(tile));
  return bytes;
}

Status LogReader::read_bundle(const tlog::Tile& bundle) {
  const std::uint64_t first = bundle.index * tlog::tile_width;
  ASSIGN_OR_RETURN(std::string bytes, read_tile_file(bundle, first));
  const tlog::Tile tile{0, bundle.index, bundle.width};
  ASSIGN_OR_RETURN(std::string hashes, read_tile_file(tile, first));
  if (hashes.size() < std::size_t{bundle.width} * Hash::size)
    return wrong(first + hashes.size() / Hash::size, "missing in its tile");
  // Read one by one, so that the first wrong one can be named even if lengths are wrong from there on.
  std::string_view rest = bytes;
  for (unsigned i = 0; i < bundle.width; ++i) {
    const std::uint64_t index = first + i;
    const auto byte_at = [&](std::size_t at) { return static_cast<std::size_t>(static_cast<unsigned char>(rest[at])); };
    const std::size_t length = rest.size() < 2 ? 0 : byte_at(0) << 8 | byte_at(1);
    if (rest.size() < 2 || rest.size() - 2 < length) return wrong(index, "missing in its bundle");
    const std::string_view entry = rest.substr(2, length);
    rest.remove_prefix(2 + length);
    if (tlog::hash_leaf(entry).bytes() != std::string_view(hashes).substr(i * Hash::size, Hash::size)) {
      return wrong(index, "does not have the hash in its tile");
    }
    if (index >= journal_first_ && index < journal_end_ && journal_entry(index) != entry)
      return wrong(index, "differs from the journal");
    if (index >= started_from_) {
      RETURN_IF_ERROR(take_entry(entry));
    } else if (index >= open_entries_first) {
      open_entries.emplace_back(entry);
    }
  }
  if (!rest.empty() && bundle.width == tlog::tile_width)
    return wrong(first + bundle.width - 1, "followed by bytes that are no entry");
  return done();
}

Status LogReader::check_tiles(const std::vector<tlog::Tile>& tiles) {
  for (const tlog::Tile& tile : tiles) {
    const std::uint64_t leaves_each = std::uint64_t{1} << (8 * *tile.level);
    const std::uint64_t first = tile.index * tlog::tile_width * leaves_each;
    ASSIGN_OR_RETURN(std::string found, read_tile_file(tile, first));
    ASSIGN_OR_RETURN(std::string expected, tlog::tile_bytes(tile, tree));
    for (std::size_t i = 0; i < tile.width; ++i) {
      if (found.compare(std::min(found.size(), i * Hash::size), Hash::size, expected, i * Hash::size, Hash::size) == 0) continue;
      return wrong(first + i * leaves_each, "its hash in " + tlog::path_of(tile) + " is wrong");
    }
  }
  return done();
}

Status LogReader::read_rest_of_journals() {
  for (std::uint64_t index = tree.size(); index < journal_end_; ++index) RETURN_IF_ERROR(take_entry(journal_entry(index)));
  return done();
}

Status LogReader::take_entry(std::string_view bytes) {
  const std::uint64_t index = tree.size();
  const auto entry = parse_log_entry(bytes);
  if (!entry) return wrong(index, entry.error().detail);
  const Hash leaf = tlog::hash_leaf(bytes);
  const Milliseconds at = std::visit([](const auto& kind) { return kind.at; }, *entry);
  if (at < last_at) return wrong(index, "older than the one before");
  last_at = at;
  if (const auto* event = std::get_if<Event>(&*entry)) {
    if (const auto misfit = chains.misfit(*event, index)) return wrong(misfit->index, misfit->what);
    chains.advance(*event, index, leaf);
  } else {
    const Heads& stated = std::get<Heads>(*entry);
    const auto heads = chains.heads();
    if (stated.count != heads.size() || stated.root != heads_tree(heads).root())
      return wrong(index, "heads are not those of the entries before");
    ++heads_count;
  }
  tree.append(leaf);
  if (index >= open_entries_first) open_entries.emplace_back(bytes);
  return check_batch_end();
}

// At the end of each batch in a journal: what was signed there.
Status LogReader::check_batch_end() {
  const auto found = batches_.find(tree.size());
  if (found == batches_.end()) return done();
  const Batch& batch = found->second;
  if (batch.root != tree.root()) return wrong(batch.first, "its batch has another root");
  const tlog::Checkpoint signed_state{key_.name, tree.size(), batch.root, {}};
  if (!crypto::ed25519_verify(key_.public_key, signed_state.text(), batch.signature))
    return wrong(batch.first, "its batch is not signed");
  return done();
}

}  // namespace mailhold::ledger
