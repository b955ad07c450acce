// The state of a host and the list it is compared with: files that somebody may have changed.
#include <cstdlib>

#include "core/measurement/host_state.h"
#include "fuzz_seeds.h"

using namespace mailhold::measurement;

std::vector<std::string> fuzz_seeds() {
  const std::vector<Finding> findings = {{Finding::Kind::unknown_program, "/opt/orion"}, {Finding::Kind::changed_unit, "/etc/a"}};
  Measured measured;
  measured.programs["/usr/lib/mailhold/keyd"] = std::string(64, 'a');
  measured.units["/etc/systemd/system/a.service"] = "-> /dev/null";
  measured.listeners.insert("tcp 0100007F:25");
  return {state_of(findings, 1'766'441'234'567).encode(), state_of({}, 1).encode(), measured.encode()};
}

std::vector<std::string> fuzz_words() { return {"finding\t", "unknown unit\t", "time\t", "listener\t", "program\t", "\n"}; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto parsed = HostState::parse(input); parsed && parsed->encode() != input) std::abort();
  if (const auto parsed = Measured::parse(input); parsed && parsed->encode() != input) std::abort();
  return 0;
}
