// WitnessServer: add-checkpoint over plain HTTP/1.1. One request for each connection; few are served at once, each within its
// time. A TLS terminator stands in front of it where the way to the log is not private; the checkpoints are signed either way.
#pragma once

#include <stop_token>

#include "core/witness/witness.h"
#include "formats/http/request.h"
#include "formats/http/response.h"

namespace mailhold::witness {

inline constexpr int sessions_max = 8;

// Serves on the listening socket (non-blocking, which it takes over) until stop is requested.
void serve(int listener, Witness& witness, const std::stop_token& stop);

// What one request is answered.
http::Response answer(Witness& witness, const http::Request& request);

}  // namespace mailhold::witness
