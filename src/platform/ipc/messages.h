// What every request and reply between our processes has in common.
//   request  u64 number, u16 method, body          reply  u64 number, u8 outcome, body
//   outcome  0 = done, else 1 + ErrorKind and the body is the detail
// Methods below 1000 belong to the service; each keeps them in its <room>_messages.h.
#pragma once

#include <cstdint>

namespace mailhold::ipc {

// JSON in, JSON out: {"verb":"queue.list", ...}. The verbs of a daemon for the command line (core/api).
inline constexpr std::uint16_t method_api = 1000;

// () -> write_families of what the process counts (base/metrics.h). Every daemon answers it, to apid alone.
inline constexpr std::uint16_t method_metrics = 1001;

}  // namespace mailhold::ipc
