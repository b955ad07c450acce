// ledger-append: how many entries a second 64 waiting writers get receipts for, against the least that a log could do for
// the same durability: one thread that writes 64 entries and calls fdatasync, without tree, chain, signature or receipt.
// Five alternating runs, medians. Then what one writer alone gets, and how fast a whole log is verified.
//   ledger_bench [folder]      the folder should lie on the disk in question; default: the current one
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include "base/random.h"
#include "core/ledger/log.h"
#include "core/ledger/verifier.h"
#include "platform/crypto/hash.h"

namespace {

using namespace mailhold;
using namespace mailhold::ledger;

constexpr auto run_time = std::chrono::seconds(2);
constexpr int writers_max = 64;
constexpr std::size_t ciphertext_bytes = 450;  // what an intent of the broker takes

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double raw_entries_per_second(const std::filesystem::path& folder) {
  const std::string batch = random_bytes(writers_max * (ciphertext_bytes + 350));
  const int file = ::open((folder / "raw").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  const auto start = std::chrono::steady_clock::now();
  double entries = 0;
  while (seconds_since(start) < std::chrono::duration<double>(run_time).count()) {
    if (::write(file, batch.data(), batch.size()) != static_cast<ssize_t>(batch.size()) || ::fdatasync(file) != 0) std::abort();
    entries += writers_max;
  }
  const double rate = entries / seconds_since(start);
  ::close(file);
  return rate;
}

double log_entries_per_second(Log& log, int writers) {
  std::atomic<std::uint64_t> entries = 0;
  const auto start = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> threads;
    for (int writer = 0; writer < writers; ++writer) {
      threads.emplace_back([&] {
        const Id tenant = Id::random();
        const std::string payload = encode(Payload{1, 7, tenant, random_bytes(92), random_bytes(ciphertext_bytes)});
        while (seconds_since(start) < std::chrono::duration<double>(run_time).count()) {
          if (!log.append({tenant, tenant, Hash(), payload}, Deadline::after(run_time * 5))) std::abort();
          ++entries;
        }
      });
    }
  }
  return static_cast<double>(entries) / seconds_since(start);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int count, char** arguments) {
  const std::filesystem::path folder = std::filesystem::path(count > 1 ? arguments[1] : ".") / "ledger_bench.tmp";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  LogSettings settings;
  settings.folder = folder / "log";
  settings.origin = "bench/eu";
  auto log = std::make_unique<Log>(settings, *crypto::Ed25519Signer::from_seed(std::string(32, 's')));
  if (!log->reopen()) return 1;
  std::vector<double> raw;
  std::vector<double> ours;
  for (int run = 0; run < 5; ++run) {
    raw.push_back(raw_entries_per_second(folder));
    ours.push_back(log_entries_per_second(*log, writers_max));
  }
  std::printf("ledger-append %.0f entries/s with 64 writers, raw write+fdatasync of 64 %.0f entries/s, ratio %.2f\n",
              median(ours), median(raw), median(ours) / median(raw));
  std::printf("ledger-append %.0f entries/s with one writer\n", log_entries_per_second(*log, 1));
  const tlog::NoteKey key = log->key();
  log.reset();
  const auto start = std::chrono::steady_clock::now();
  const Verdict verdict = verify_log(settings.folder, key, Journal::checked);
  std::printf("ledger-verify %.0f entries/s of %llu, %s\n", static_cast<double>(verdict.size) / seconds_since(start),
              static_cast<unsigned long long>(verdict.size), verdict.sound ? "sound" : verdict.fault.c_str());
  std::filesystem::remove_all(folder);
  return verdict.sound ? 0 : 1;
}
