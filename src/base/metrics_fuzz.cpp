// What one process tells of its metrics, read by another: whatever is read can be written again, and shown line by line.
#include <cstdint>
#include <cstdlib>

#include "base/metrics.h"
#include "fuzz_seeds.h"

using namespace mailhold;

std::vector<std::string> fuzz_seeds() {
  Metrics metrics;
  metrics.counter("mailhold_calls_total", "Calls.", {{"peer", "apid"}}).add(3);
  metrics.gauge("mailhold_age_seconds", "An \"age\"\n").set(1.5);
  metrics.histogram("mailhold_sync_seconds", "Syncs.", {1, 5}).observe(2);
  return {write_families(metrics.families())};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto families = read_families({reinterpret_cast<const char*>(data), size});
  if (!families) return 0;
  const auto again = read_families(write_families(*families));
  if (!again || again->size() != families->size()) std::abort();
  std::size_t lines = 0;
  for (const auto& [name, family] : *families) lines += 2 + family.samples.size();
  const std::string text = metrics_text(*families);
  if (static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) != lines) std::abort();  // nothing breaks a line
  return 0;
}
