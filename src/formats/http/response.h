// Response: what a small HTTP server answers, and its bytes (RFC 9112 section 4).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace mailhold::http {

enum class Body { send, leave_out };  // leave_out: the answer to HEAD; Content-Length still tells the size

struct Response {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;
};

// The whole answer, with Content-Length and "Connection: close". bug if a field holds CR, LF or another control
// character: such an answer must never leave.
Result<std::string> write(const Response& response, Body body);

}  // namespace mailhold::http
