// A ledger in a folder of its own, with a disk that can be watched and broken.
#pragma once

#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>

#include "base/random.h"
#include "core/ledger/log.h"
#include "core/ledger/log_storage.h"
#include "platform/crypto/hash.h"

namespace mailhold::ledger {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "mailhold-ledger-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline crypto::Ed25519Signer test_signer(char letter = 'l') { return *crypto::Ed25519Signer::from_seed(std::string(32, letter)); }
inline LogSettings settings_in(const std::filesystem::path& folder) {
  LogSettings settings;
  settings.folder = folder / "log";
  settings.origin = "ledger.test/eu";
  return settings;
}
inline tlog::NoteKey test_key() { return {"ledger.test/eu", test_signer().public_key()}; }

inline Id test_id(int number) {
  std::string bytes(16, '\0');
  bytes[0] = static_cast<char>(number >> 8);
  bytes[1] = static_cast<char>(number);
  bytes[15] = 'x';
  return Id::from_bytes(bytes);
}

inline Append test_append(Id tenant, Id connection = {}, std::size_t ciphertext_bytes = 300) {
  const std::string ciphertext = random_bytes(ciphertext_bytes);
  return {tenant, connection, Hash::from_bytes(crypto::sha256(ciphertext)),
          encode(Payload{1, 7, test_id(3), "the box", ciphertext})};
}

// A clock that the test sets while the log's threads read it.
class SharedClock final : public Clock {
 public:
  explicit SharedClock(Milliseconds start) : now_(start) {}
  Milliseconds now() const override { return now_; }
  void set(Milliseconds now) { now_ = now; }
  void advance(Milliseconds by) { now_ += by; }

 private:
  std::atomic<Milliseconds> now_;
};

inline Deadline soon() { return Deadline::after(std::chrono::seconds(20)); }

inline std::string contents_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
inline void replace_contents(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}
inline std::filesystem::path only_journal(const std::filesystem::path& log_folder) {
  std::filesystem::path found;
  for (const auto& file : std::filesystem::directory_iterator(log_folder / "journal")) {
    if (file.path().extension().empty()) found = file.path();
  }
  return found;
}

// Passes everything on to the disk; counts, and fails from the chosen step on.
class WatchedStorage final : public LogStorage {
 public:
  std::atomic<int> appends = 0;
  std::atomic<int> syncs = 0;
  std::atomic<int> steps = 0;         // calls of any kind
  std::atomic<int> failing_step = 0;  // this one fails, and those after it; 0: none
  std::atomic<bool> sync_fails_once = false;
  std::function<void()> before_sync;

  Result<std::unique_ptr<JournalFile>> create_journal(const std::filesystem::path& path) override {
    RETURN_IF_ERROR(step());
    ASSIGN_OR_RETURN(auto journal, disk_storage().create_journal(path));
    return std::unique_ptr<JournalFile>(std::make_unique<WatchedJournal>(*this, std::move(journal)));
  }
  Status write_file(const std::filesystem::path& path, std::string_view bytes) override {
    RETURN_IF_ERROR(step());
    return disk_storage().write_file(path, bytes);
  }
  Status sync_all(const std::filesystem::path& folder) override {
    RETURN_IF_ERROR(step());
    return disk_storage().sync_all(folder);
  }
  Status sync_folder(const std::filesystem::path& folder) override {
    RETURN_IF_ERROR(step());
    return disk_storage().sync_folder(folder);
  }
  Status cut_file(const std::filesystem::path& path, std::uint64_t keep_bytes, const std::filesystem::path& evidence) override {
    RETURN_IF_ERROR(step());
    return disk_storage().cut_file(path, keep_bytes, evidence);
  }

 private:
  class WatchedJournal final : public JournalFile {
   public:
    WatchedJournal(WatchedStorage& owner, std::unique_ptr<JournalFile> file) : owner_(owner), file_(std::move(file)) {}
    Status append(std::string_view bytes) override {
      ++owner_.appends;
      if (const Status failed = owner_.step(); !failed) {
        (void)file_->append(bytes.substr(0, bytes.size() / 2));  // a disk that fails has often written something
        return failed;
      }
      return file_->append(bytes);
    }
    Status sync() override {
      ++owner_.syncs;
      if (owner_.before_sync) owner_.before_sync();
      if (owner_.sync_fails_once.exchange(false)) return Error{ErrorKind::unavailable, "syncing: Input/output error"};
      RETURN_IF_ERROR(owner_.step());
      return file_->sync();
    }
    Status check_in_place() override { return file_->check_in_place(); }

   private:
    WatchedStorage& owner_;
    std::unique_ptr<JournalFile> file_;
  };

  Status step() {
    const int number = ++steps;
    if (failing_step > 0 && number >= failing_step)
      return Error{ErrorKind::unavailable, "the disk failed at step " + std::to_string(number)};
    return done();
  }
};

}  // namespace mailhold::ledger
