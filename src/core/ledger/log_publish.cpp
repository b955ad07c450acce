// From journal to tiles and checkpoint, and the start from what is on disk.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "core/evidence/log_reader.h"
#include "core/evidence/snapshot.h"
#include "core/ledger/log_state.h"
#include "formats/tlog/checkpoint.h"
#include "formats/tlog/tiles.h"

namespace mailhold::ledger {
namespace {

std::string signed_checkpoint(const tlog::Checkpoint& checkpoint, const crypto::Ed25519Signer& signer) {
  tlog::SignedNote note{checkpoint.text(), {}};
  return tlog::sign_note(note, checkpoint.origin, signer) ? note.encode() : std::string();
}

}  // namespace

// Tiles and bundles first, all made durable at once, then the checkpoint that needs them.
Status Log::State::publish(bool new_journal) {
  const std::uint64_t old_size = published_size;
  const std::uint64_t new_size = tree.size();
  if (new_size > old_size || checkpoint_note.empty()) {
    RETURN_IF_ERROR(write_tiles(old_size, new_size));
    const std::string note = signed_checkpoint({settings.origin, new_size, tree.root(), {}}, signer);
    RETURN_IF_ERROR(storage.sync_all(settings.folder));
    RETURN_IF_ERROR(storage.write_file(settings.folder / "checkpoint", note));
    RETURN_IF_ERROR(storage.sync_all(settings.folder));
    remove_replaced_files(old_size, new_size);
    if (new_size > 0) tree.forget_before(new_size - 1);  // the last leaf's own path is still asked for
    const std::scoped_lock lock(mutex);
    published_size = new_size;
    checkpoint_note = note;
    for (const std::uint64_t full = new_size / tlog::tile_width * tlog::tile_width; open_entries_first < full;
         ++open_entries_first) {
      open_entries.pop_front();
    }
  }
  if (new_journal) RETURN_IF_ERROR(start_journal());
  return done();
}

Status Log::State::write_tiles(std::uint64_t old_size, std::uint64_t new_size) {
  for (const tlog::Tile& bundle : tlog::new_bundles(old_size, new_size)) {
    std::string bytes;
    const std::uint64_t first = bundle.index * tlog::tile_width;
    for (std::uint64_t i = first; i < first + bundle.width; ++i)
      tlog::append_to_bundle(bytes, open_entries[i - open_entries_first]);
    RETURN_IF_ERROR(storage.write_file(settings.folder / tlog::path_of(bundle), bytes));
  }
  for (const tlog::Tile& tile : tlog::new_tiles(old_size, new_size)) {
    ASSIGN_OR_RETURN(std::string bytes, tlog::tile_bytes(tile, tree));
    RETURN_IF_ERROR(storage.write_file(settings.folder / tlog::path_of(tile), bytes));
  }
  return done();
}

// Partial tiles whose full one is durable now. Nothing depends on this: a failure leaves a few files too many.
void Log::State::remove_replaced_files(std::uint64_t old_size, std::uint64_t new_size) {
  std::vector<tlog::Tile> replaced = tlog::tiles_of(old_size);
  for (const tlog::Tile& bundle : tlog::new_bundles(old_size / tlog::tile_width * tlog::tile_width, old_size))
    replaced.push_back(bundle);
  for (tlog::Tile tile : replaced) {
    if (tile.width == tlog::tile_width) continue;
    const unsigned level = tile.level.value_or(0);
    if (((new_size >> (8 * level)) >> 8) <= tile.index) continue;
    tile.width = tlog::tile_width;
    std::error_code ignored;
    std::filesystem::remove_all(settings.folder / (tlog::path_of(tile) + ".p"), ignored);
  }
}

// All that older journals hold is below the checkpoint by now.
Status Log::State::start_journal() {
  ASSIGN_OR_RETURN(auto older, find_journals(settings.folder));
  const auto path = journal_path(settings.folder, tree.size());
  journal.reset();
  ASSIGN_OR_RETURN(journal, storage.create_journal(path));
  journal_bytes = 0;
  std::error_code ignored;
  for (const auto& [first, old_path] : older) {
    if (old_path != path) std::filesystem::remove(old_path, ignored);
  }
  return storage.sync_folder(path.parent_path());
}

// Nothing depends on it but the time a start takes. All it says is below a durable checkpoint.
void Log::State::write_snapshot_if_due() {
  if (published_size != tree.size() || tree.size() - snapshot_written_size < settings.snapshot_after_entries) return;
  snapshot_written_size = tree.size();
  const std::string bytes = encode_snapshot(tree.size(), tree.root(), last_at, chains, signer, settings.origin);
  Status written = storage.write_file(settings.folder / snapshot_name, bytes);
  if (!written) log_warning("ledger", "state snapshot was not written: " + written.error().detail);
}

Status Log::State::reopen() {
  {
    const std::scoped_lock lock(mutex);
    open = false;
    failure_text = "being reopened";
  }
  journal.reset();
  const Status status = start_from_disk();
  if (!status) {
    fail(status.error());
    return status;
  }
  failure.reset();
  const std::scoped_lock lock(mutex);
  open = true;
  return status;
}

Status Log::State::take_folder_lock() {
  if (folder_lock >= 0) return done();
  std::error_code failure_code;
  std::filesystem::create_directories(settings.folder, failure_code);
  const auto path = settings.folder / "lock";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
  if (file < 0) return Error{ErrorKind::unavailable, "ledger: " + path.string() + ": " + std::strerror(errno)};
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    ::close(file);
    return Error{ErrorKind::unavailable, "ledger: another process writes to this log"};
  }
  folder_lock = file;
  return done();
}

// A folder is new only if it has nothing of a log in it. The first journal comes first, so that an
// interrupted start is repeated, not mistaken for a log that lost its journal.
Status Log::State::make_folder_if_new() {
  const auto exists = [&](const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
  };
  ASSIGN_OR_RETURN(auto journals, find_journals(settings.folder));
  std::error_code ignored;
  const bool journals_empty = journals.empty() || (journals.size() == 1 && journals.begin()->first == 0 &&
                                                   std::filesystem::file_size(journals.begin()->second, ignored) == 0);
  if (exists(settings.folder / "checkpoint") || exists(settings.folder / "tile") || !journals_empty || acknowledged_size > 0)
    return done();
  ASSIGN_OR_RETURN(auto first_journal, storage.create_journal(journal_path(settings.folder, 0)));
  RETURN_IF_ERROR(storage.write_file(settings.folder / "checkpoint",
                                     signed_checkpoint({settings.origin, 0, tlog::root_of_empty_tree(), {}}, signer)));
  return storage.sync_all(settings.folder);
}

Status Log::State::start_from_disk() {
  if (!tlog::is_key_name(settings.origin))
    return Error{ErrorKind::invalid_input, "ledger: the origin cannot stand in a signed note"};
  RETURN_IF_ERROR(take_folder_lock());
  RETURN_IF_ERROR(make_folder_if_new());
  const tlog::NoteKey key{settings.origin, signer.public_key()};
  LogReader found(settings.folder, key, Journal::checked);
  Result<Snapshot> snapshot = read_snapshot(settings.folder, key);
  if (snapshot) {
    found.start_from(std::move(*snapshot));
  } else if (snapshot.error().kind != ErrorKind::not_found) {
    log_warning("ledger", "state snapshot is not used, everything is read: " + snapshot.error().detail);
  }
  if (Status status = found.read(); !status) {
    if (status.error().kind == ErrorKind::not_found) return Error{ErrorKind::corrupt, "ledger: the checkpoint is missing"};
    return status;
  }
  if (found.tree.size() < acknowledged_size) return Error{ErrorKind::corrupt, "ledger: entries are gone that were acknowledged"};
  if (acknowledged_size > 0) {
    ASSIGN_OR_RETURN(Hash root, found.root_at(acknowledged_size));
    if (root != acknowledged_root) return Error{ErrorKind::corrupt, "ledger: entries differ from those that were acknowledged"};
  }
  std::uint64_t cut = 0;
  if (found.torn) {
    std::error_code ignored;
    cut = std::filesystem::file_size(found.torn->journal, ignored) - found.torn->keep_bytes;
    log_warning("ledger", "cut " + std::to_string(cut) + " bytes of a batch that was never acknowledged, after entry " +
                              std::to_string(found.tree.size()));
    RETURN_IF_ERROR(storage.cut_file(found.torn->journal, found.torn->keep_bytes, found.torn->journal.string() + ".cut"));
  }
  tree = std::move(found.tree);
  {
    const std::scoped_lock lock(mutex);
    chains = std::move(found.chains);
    open_entries = std::move(found.open_entries);
    open_entries_first = found.open_entries_first;
    durable_size = found.checkpoint.size;
    published_size = found.checkpoint.size;
    checkpoint_note = found.checkpoint_note;
    last_at = found.last_at;
    cut_bytes = cut;
    snapshot_size = found.started_from();
  }
  snapshot_written_size = found.started_from();
  // What a failed write left in the page cache may not be on disk: write it all again, to fresh files.
  RETURN_IF_ERROR(publish(true));
  acknowledged_size = tree.size();
  acknowledged_root = tree.root();
  if (chains.tenant_count() > 0) {
    RETURN_IF_ERROR(write_heads_entry(true));
    RETURN_IF_ERROR(publish(false));
    keep_head_proofs();
  }
  write_snapshot_if_due();
  const std::scoped_lock lock(mutex);
  durable_size = tree.size();
  return done();
}

}  // namespace mailhold::ledger
