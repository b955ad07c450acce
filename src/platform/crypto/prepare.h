// prepare: brings OpenSSL up at the start of a program, before its sandbox; a second call does nothing. No configuration file
// of OpenSSL is ever read: it could change algorithms behind our back, and a sandboxed process could not open it.
#pragma once

namespace mailhold::crypto {

void prepare();

}  // namespace mailhold::crypto
