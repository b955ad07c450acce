// A TLS session that a process has with itself, in memory, so that all that OpenSSL looks up and keeps at its first use is there
// before the process is copied: algorithms by name, decoders of keys and certificates, the context of clients.
#pragma once

#include "base/result.h"

namespace mailhold::net {

// With a server that has an RSA key and with one that has an elliptic one, verified by authority and name. Their keys are made
// for it and gone when it returns. Opens no file. unavailable: OpenSSL's word for what failed.
Status rehearse_tls();

}  // namespace mailhold::net
