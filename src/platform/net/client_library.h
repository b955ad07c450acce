// OpenSSL for TLS clients: all that its default provider can do, but keys are read from certificates only. For each certificate
// that it reads, OpenSSL 3.0 goes through all forms in which a key can be written, some ninety, and that was a third of what a
// handshake computed. For the .cpp files of this room only.
#pragma once

#include <openssl/types.h>

namespace mailhold::net {

// Made with the first call and kept. Null where it cannot be made: OpenSSL's own, which is no more than slower.
OSSL_LIB_CTX* client_library();

}  // namespace mailhold::net
