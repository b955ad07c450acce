#include "core/witness/witness.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/log.h"
#include "base/text.h"
#include "formats/tlog/witness_request.h"
#include "platform/crypto/hash.h"

namespace mailhold::witness {
namespace {

constexpr std::size_t evidence_files_max = 64;
constexpr std::string_view note_suffix = ".note";

Error failed(const std::filesystem::path& path, const char* what) {
  return Error{ErrorKind::unavailable, std::string("witness: ") + what + " " + path.string() + ": " + std::strerror(errno)};
}

WitnessAnswer refusal(int status, std::string why) { return {status, {}, std::move(why) + "\n"}; }
WitnessAnswer conflict(std::uint64_t size) { return {409, "text/x.tlog.size", std::to_string(size) + "\n"}; }

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

// Replaces the file; durable, name included, when it returns done.
Status write_durably(const std::filesystem::path& path, std::string_view bytes) {
  const std::filesystem::path beside = path.string() + ".new";
  const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return failed(beside, "creating");
  const bool written = write_all(file, bytes) && ::fsync(file) == 0;
  if (!written) {
    const Error error = failed(beside, "writing");
    ::close(file);
    return error;
  }
  ::close(file);
  if (::rename(beside.c_str(), path.c_str()) != 0) return failed(path, "renaming");
  const int folder = ::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return failed(path.parent_path(), "opening");
  const bool synced = ::fsync(folder) == 0;
  const Error error = failed(path.parent_path(), "syncing");
  ::close(folder);
  return synced ? done() : Status(error);
}

}  // namespace

Result<std::unique_ptr<Witness>> Witness::open(WitnessSettings settings, crypto::Ed25519Signer signer, const Clock& clock) {
  if (!tlog::is_key_name(settings.name))
    return Error{ErrorKind::invalid_input, "witness: this name cannot stand in a signed note"};
  std::unique_ptr<Witness> witness(new Witness(std::move(settings), std::move(signer), clock));
  RETURN_IF_ERROR(witness->take_folder_lock());
  RETURN_IF_ERROR(witness->read_folder());
  return witness;
}

Witness::~Witness() {
  if (folder_lock_ >= 0) ::close(folder_lock_);
}

Status Witness::take_folder_lock() {
  const auto path = settings_.folder / "lock";
  folder_lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (folder_lock_ < 0) return failed(path, "opening");
  if (::flock(folder_lock_, LOCK_EX | LOCK_NB) != 0)
    return Error{ErrorKind::unavailable, "witness: another process uses " + settings_.folder.string()};
  return done();
}

Status Witness::read_folder() {
  for (const tlog::NoteKey& log : settings_.logs) {
    const auto path = file_of(log.name);
    std::ifstream file(path, std::ios::binary);
    if (!file && !std::filesystem::exists(path)) continue;
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    const auto note = tlog::SignedNote::parse(bytes);
    const auto checkpoint = note ? tlog::Checkpoint::parse(note->text) : Result<tlog::Checkpoint>(note.error());
    // It was cosigned by this very key before it was written: anything else is not what this witness knew.
    if (!checkpoint || checkpoint->origin != log.name || !is_signed_by_its_log(*note, log.name) ||
        !tlog::verify_cosignature(*note, key())) {
      return Error{ErrorKind::corrupt,
                   "witness: " + path.string() +
                       " is not what this witness cosigned; it must not cosign for this log under this key again"};
    }
    cosigned_[log.name] = *checkpoint;
  }
  return done();
}

// By a hash: an origin is the log's to choose and must not choose our file names.
std::filesystem::path Witness::file_of(const std::string& origin) const {
  return settings_.folder / (to_hex(crypto::sha256(origin)) + std::string(note_suffix));
}

bool Witness::knows(const std::string& origin) const {
  return std::any_of(settings_.logs.begin(), settings_.logs.end(), [&](const tlog::NoteKey& log) { return log.name == origin; });
}

bool Witness::is_signed_by_its_log(const tlog::SignedNote& note, const std::string& origin) const {
  return std::any_of(settings_.logs.begin(), settings_.logs.end(),
                     [&](const tlog::NoteKey& log) { return log.name == origin && tlog::verify_note(note, log); });
}

std::uint64_t Witness::size_of(const std::string& origin) const {
  const std::scoped_lock lock(mutex_);
  const auto found = cosigned_.find(origin);
  return found == cosigned_.end() ? 0 : found->second.size;
}

WitnessAnswer Witness::add_checkpoint(std::string_view body) {
  const auto request = tlog::WitnessRequest::parse(body);
  if (!request) return refusal(400, request.error().detail);
  auto note = tlog::SignedNote::parse(request->note);
  if (!note) return refusal(400, note.error().detail);
  const auto checkpoint = tlog::Checkpoint::parse(note->text);
  if (!checkpoint) return refusal(400, checkpoint.error().detail);
  if (!knows(checkpoint->origin)) return refusal(404, "this witness does not know the log");
  if (!is_signed_by_its_log(*note, checkpoint->origin)) return refusal(403, "no known key of the log signed this checkpoint");
  if (request->old_size > checkpoint->size) return refusal(400, "the old size is larger than the checkpoint");

  const std::scoped_lock lock(mutex_);
  const auto known = cosigned_.find(checkpoint->origin);
  const tlog::Checkpoint last = known == cosigned_.end() ? tlog::Checkpoint{} : known->second;
  if (request->old_size != last.size) return conflict(last.size);
  if (last.size == 0) {
    if (!request->proof.empty()) return refusal(422, "nothing was cosigned before, so the proof must be empty");
    if (checkpoint->size == 0 && checkpoint->root != tlog::root_of_empty_tree())
      return refusal(422, "an empty log has another root");
  } else if (const Status proven =
                 tlog::verify_consistency(last.size, checkpoint->size, request->proof, last.root, checkpoint->root);
             !proven) {
    keep_evidence(checkpoint->origin, body);
    if (checkpoint->size == last.size && checkpoint->root != last.root) {
      log_error("witness",
                "SPLIT VIEW: a log signed two roots of size " + std::to_string(last.size) + "; both are kept as evidence");
      return conflict(last.size);
    }
    return refusal(422, proven.error().detail);
  }
  const auto seconds = static_cast<std::uint64_t>(clock_.now() / 1000);
  const tlog::NoteSignature cosignature = tlog::cosign(note->text, settings_.name, signer_, seconds);
  // Only what was verified here is kept: the log's own signatures and ours.
  std::erase_if(note->signatures, [&](const tlog::NoteSignature& one) { return one.name != checkpoint->origin; });
  note->signatures.push_back(cosignature);
  if (const Status kept = remember(*checkpoint, note->encode()); !kept) {
    log_error("witness", kept.error().detail);
    return refusal(503, "the witness could not keep this checkpoint, so it did not cosign it");
  }
  return {200, {}, tlog::encode(cosignature)};
}

Status Witness::remember(const tlog::Checkpoint& checkpoint, const std::string& note) {
  RETURN_IF_ERROR(write_durably(file_of(checkpoint.origin), note));
  cosigned_[checkpoint.origin] = checkpoint;
  return done();
}

// A checkpoint under the log's signature that contradicts what it signed before: whoever has both can show it to anybody.
void Witness::keep_evidence(const std::string& origin, std::string_view request) {
  const auto folder = settings_.folder / "evidence";
  std::error_code failure;
  std::filesystem::create_directory(folder, failure);
  const auto count = std::distance(std::filesystem::directory_iterator(folder, failure), {});
  const std::string name = to_hex(crypto::sha256(origin)).substr(0, 16) + "-" + to_hex(crypto::sha256(request)).substr(0, 16);
  if (failure || static_cast<std::size_t>(count) >= evidence_files_max || std::filesystem::exists(folder / name)) return;
  std::ifstream kept(file_of(origin), std::ios::binary);
  const std::string before{std::istreambuf_iterator<char>(kept), {}};
  if (const Status written =
          write_durably(folder / name, "cosigned before:\n\n" + before + "\nasked for now:\n\n" + std::string(request));
      !written)
    log_error("witness", written.error().detail);
}

}  // namespace mailhold::witness
