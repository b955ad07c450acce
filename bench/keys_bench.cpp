// How fast day keys are wrapped anew beside a raw unwrap+wrap loop of the same sealing, and how much memory keyd takes with a
// large region unsealed. Lines: "bench NAME ours=… peer=… unit=… ratio=… bar=… ok|short".
//   keys_bench [DAY_KEYS] [TENANTS]      1,000,000 and 40,000 unless told; 12 connections for each tenant
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/keys/connection_secrets.h"
#include "core/keys/key_service.h"
#include "core/keys/keystore.h"
#include "core/keys/rotation.h"
#include "formats/sealed/sealed.h"
#include "platform/crypto/secret_memory.h"

using namespace mailhold;
using namespace mailhold::keys;

namespace {

constexpr std::uint32_t connections_of_tenant = 12;
constexpr std::size_t raw_rounds = 200'000;

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void must(const Status& status) {
  if (status) return;
  std::fprintf(stderr, "keys_bench: %s\n", status.error().detail.c_str());
  std::exit(1);
}

void print(const char* name, double ours, double peer, const char* unit, double ratio, double bar, bool ok) {
  std::printf("bench %s ours=%.0f peer=%.0f unit=%s ratio=%.2f bar=%g %s\n", name, ours, peer, unit, ratio, bar,
              ok ? "ok" : "short");
  std::fflush(stdout);
}

// What a rewrap can't do without: open a wrapped key and seal it under another, one after the other, in memory.
double raw_rewraps_a_second() {
  const SecretText old_key = SecretText::random(32);
  const SecretText new_key = SecretText::random(32);
  sealed::Context context{
      .region = "bench", .tenant = Id::random(), .kind = sealed::Kind::day_key, .object_id = std::string(21, 'x')};
  const std::string row = sealed::seal(old_key.reveal(), context, SecretText::random(32).reveal());
  std::size_t bytes = 0;
  const double seconds = seconds_of([&] {
    for (std::size_t i = 0; i < raw_rounds; ++i)
      bytes +=
          sealed::seal(new_key.reveal(), context, sealed::open_secret(old_key.reveal(), context, row).value().reveal()).size();
  });
  return bytes > 0 ? static_cast<double>(raw_rounds) / seconds : 0;
}

struct Region {
  explicit Region(const std::filesystem::path& directory)
      : service({directory / "keystore.db", "bench", {.memory_bytes = 64 << 10, .passes = 1}, {}}, {}),
        keystore(Keystore::open(directory / "keystore.db").value()) {
    std::vector<SealRequest> seals(2);
    seals[0].secret = SecretText::copy_of("correct horse battery");
    seals[1].kind = SealKind::shamir;
    seals[1].threshold = 2;
    seals[1].shares = 3;
    if (!service.initialise(seals)) std::exit(1);
    must(hierarchy.take(open_root().reveal()));
  }
  SecretText open_root() {
    const RootSeals seals("bench", {}, {});
    return seals.open_by_passphrase(keystore.seals().value().front(), "correct horse battery").value().root;
  }
  KeyService service;
  Keystore keystore;
  SecretPages pages;
  Hierarchy hierarchy{keystore, pages, "bench"};
};

void bench_rewrap(const std::filesystem::path& directory, std::uint32_t count) {
  Region region(directory);
  const Id tenant = Id::random();
  must(region.service.create_tenant(tenant));
  std::vector<KeyRow> rows;
  for (std::uint32_t day = 1; day <= count; ++day) {
    rows.push_back(region.hierarchy.make({tenant, static_cast<Slot>(Purpose::store), day, 1}, 1).value());
    if (rows.size() < 10'000 && day != count) continue;
    must(region.keystore.insert(rows));
    rows.clear();
  }
  const double before = raw_rewraps_a_second();
  must(region.service.rotate_tenant(tenant));
  // Somebody asks for a key meanwhile: a step must not keep others waiting.
  double longest_wait = 0;
  std::jthread asker([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      longest_wait = std::max(longest_wait, seconds_of([&] {
                                if (!region.service.link_key(tenant, 0)) std::exit(1);
                              }));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  const double seconds = seconds_of([&] {
    for (;;) {
      const auto worked = region.service.rewrap_step();
      if (!worked) must(worked.error());
      if (!*worked) return;
    }
  });
  asker.request_stop();
  asker.join();
  const double ours = count / seconds;
  const double peer = (before + raw_rewraps_a_second()) / 2;  // measured on both sides, since the machine may be busy
  std::printf("# the longest wait of another question: %.0f ms\n", longest_wait * 1000);
  print("rewrap", ours, peer, "keys/s", ours / peer, 0.5, ours / peer >= 0.5);
}

double resident_mebibytes() {
  std::ifstream status("/proc/self/statm");
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  status >> all >> resident;
  return static_cast<double>(resident) * 4096 / (1 << 20);
}

// Every tenant's keys and every connection's are used once, so that whatever keyd keeps in memory is there.
void bench_memory(const std::filesystem::path& directory, std::uint32_t tenants) {
  Region region(directory);
  const double before = resident_mebibytes();
  for (std::uint32_t i = 0; i < tenants; ++i) {
    const Id tenant = Id::random();
    must(region.service.create_tenant(tenant));
    for (const Purpose purpose : {Purpose::configuration, Purpose::token, Purpose::trace}) {
      if (!region.service.purpose_key(tenant, purpose)) std::exit(1);
    }
    if (!region.service.link_key(tenant, 0) || !region.service.ledger_public_key(tenant)) std::exit(1);
    for (std::uint32_t connection = 0; connection < connections_of_tenant; ++connection) {
      SecretRow row{tenant, Id::random(), 1, {}};
      const auto above = region.hierarchy.newest(tenant, static_cast<Slot>(Purpose::connection));
      if (!above) must(above.error());
      seal_secret(row, "bench", *above, std::string(32, 'p'), "user\0password");
      KeyEvent event;
      event.id = Id::random();
      must(region.keystore.put_secret(row, event));
      if (connection == 0) must(region.service.rotate_connection(tenant, row.connection));
    }
  }
  const double after = resident_mebibytes();
  std::printf("bench memory-keyd-growth ours=%.0f unit=MiB tenants=%u\n", after - before, tenants);
  print("memory-keyd", after, 1024, "MiB", after / 1024, 1, after <= 1024);
}

}  // namespace

int main(int count, char** words) {
  if (!crypto::keep_secrets_in_secret_memory(1 << 20, 32 << 20)) return 1;  // as keyd does
  const auto number = [&](int i, unsigned long otherwise) {
    return static_cast<std::uint32_t>(count > i ? std::strtoul(words[i], nullptr, 10) : otherwise);
  };
  for (const auto& [run, size] : {std::pair{&bench_rewrap, number(1, 1'000'000)}, std::pair{&bench_memory, number(2, 40'000)}}) {
    if (size == 0) continue;
    // Memory is filled through half a million commits, which say nothing about memory: they go where they cost nothing.
    const std::filesystem::path parent = run == &bench_memory ? "/dev/shm" : std::filesystem::temp_directory_path();
    const auto directory = parent / ("keys-bench-" + Id::random().text());
    std::filesystem::create_directories(directory);
    run(directory, size);
    std::filesystem::remove_all(directory);
  }
}
