// ledger-append: how many entries a second 64 waiting writers get receipts for, beside how often the disk does write+fdatasync
// alone. use-p99: how long one writer alone waits for its receipt, beside one write+fdatasync of as many bytes. ledger-start: how
// long a start takes with the state snapshot, beside one that reads everything. Alternating runs, medians.
//   ledger_bench [FOLDER [ENTRIES]]      FOLDER should lie on the disk in question (default: the current one); ENTRIES is the log
//   of ledger-start
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <thread>
#include <vector>

#include "base/random.h"
#include "core/evidence/snapshot.h"
#include "core/ledger/log.h"
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

// Milliseconds that each write+fdatasync of one entry's bytes took, within the run time.
std::vector<double> raw_syncs(const std::filesystem::path& folder) {
  const std::string entry = random_bytes(ciphertext_bytes + 350);
  const int file = ::open((folder / "raw").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  const auto start = std::chrono::steady_clock::now();
  std::vector<double> took;
  while (seconds_since(start) < std::chrono::duration<double>(run_time).count()) {
    const auto before = std::chrono::steady_clock::now();
    if (::write(file, entry.data(), entry.size()) != static_cast<ssize_t>(entry.size()) || ::fdatasync(file) != 0) std::abort();
    took.push_back(1000 * seconds_since(before));
  }
  ::close(file);
  return took;
}

std::vector<double> lone_uses(Log& log) {
  const Id tenant = Id::random();
  const std::string payload = encode(Payload{1, 7, tenant, random_bytes(92), random_bytes(ciphertext_bytes)});
  const auto start = std::chrono::steady_clock::now();
  std::vector<double> took;
  while (seconds_since(start) < std::chrono::duration<double>(run_time).count()) {
    const auto before = std::chrono::steady_clock::now();
    if (!log.append({tenant, tenant, Hash(), payload}, Deadline::after(run_time * 5))) std::abort();
    took.push_back(1000 * seconds_since(before));
  }
  return took;
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

double quantile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<std::size_t>(part * static_cast<double>(values.size())))];
}
double median(const std::vector<double>& values) { return quantile(values, 0.5); }

void print(const char* name, double ours, double peer, const char* unit, double bar, bool ok) {
  std::printf("bench %s ours=%.3g peer=%.3g unit=%s ratio=%.3g bar=%g %s\n", name, ours, peer, unit, ours / peer, bar,
              ok ? "ok" : "short");
  std::fflush(stdout);
}

LogSettings settings_in(const std::filesystem::path& folder) {
  LogSettings settings;
  settings.folder = folder / "log";
  settings.origin = "bench/eu";
  return settings;
}
std::unique_ptr<Log> opened(const LogSettings& settings) {
  auto log = std::make_unique<Log>(settings, *crypto::Ed25519Signer::from_seed(std::string(32, 's')));
  if (!log->reopen()) std::abort();
  return log;
}

void measure_appends(const std::filesystem::path& folder) {
  const auto log = opened(settings_in(folder));
  std::vector<double> raw_rates;
  std::vector<double> rates;
  std::vector<double> raw_p99;
  std::vector<double> p99;
  for (int run = 0; run < 5; ++run) {
    const std::vector<double> syncs = raw_syncs(folder);
    raw_rates.push_back(1000 / (std::accumulate(syncs.begin(), syncs.end(), 0.0) / static_cast<double>(syncs.size())));
    raw_p99.push_back(quantile(syncs, 0.99));
    rates.push_back(log_entries_per_second(*log, writers_max));
    p99.push_back(quantile(lone_uses(*log), 0.99));
  }
  // A disk of 500 fdatasync/s or more must carry 10,000 entries/s; a slower one at least 20 for each of its own.
  const double rate = median(rates);
  const double raw = median(raw_rates);
  const double bar = raw >= 500 ? 10'000 / raw : 20;
  print("ledger-append", rate, raw, "entries/s", bar, rate / raw >= bar);
  print("use-p99", median(p99), median(raw_p99), "ms", 2, median(p99) <= 2 * median(raw_p99));
}

// As many entries as a region's connections write in some days, of 500 tenants.
void fill(Log& log, std::uint64_t entries) {
  const std::string payload = encode(Payload{1, 7, Id::random(), random_bytes(16), random_bytes(64)});
  std::vector<Id> tenants(500);
  for (Id& tenant : tenants) tenant = Id::random();
  std::atomic<std::uint64_t> durable = 0;
  for (std::uint64_t i = 0; i < entries; ++i) {
    while (i - durable > 8000) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const Id tenant = tenants[i % tenants.size()];
    log.submit({tenant, tenant, Hash(), payload}, [&](const Result<Receipt>& receipt) {
      if (!receipt) std::abort();
      ++durable;
    });
  }
  while (durable < entries) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

double seconds_to_start(const LogSettings& settings) {
  const auto start = std::chrono::steady_clock::now();
  const auto log = opened(settings);
  return seconds_since(start);
}

void measure_start(const std::filesystem::path& folder, std::uint64_t entries) {
  const LogSettings settings = settings_in(folder);
  std::filesystem::remove_all(settings.folder);
  fill(*opened(settings), entries);
  const double with_snapshot = seconds_to_start(settings);
  std::filesystem::remove(settings.folder / snapshot_name);
  LogSettings reading = settings;
  reading.snapshot_after_entries = UINT64_MAX;
  const double reading_all = seconds_to_start(reading);
  std::printf("ledger-start: a log of %llu entries\n", static_cast<unsigned long long>(entries));
  print("ledger-start", with_snapshot, reading_all, "s", 0.5, with_snapshot <= 0.5 * reading_all);
}

}  // namespace

int main(int count, char** arguments) {
  const std::filesystem::path folder = std::filesystem::path(count > 1 ? arguments[1] : ".") / "ledger_bench.tmp";
  const std::uint64_t entries = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 600'000;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  measure_appends(folder);
  measure_start(folder, entries);
  std::filesystem::remove_all(folder);
  return 0;
}
