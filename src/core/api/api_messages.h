// What the command line and apid say to each other over the local socket: one frame of ipc::Channel
// for each request and each reply.
//   request  JSON object with "verb"; a passphrase travels as a descriptor, never in the JSON
//   reply    u8 outcome (0 done, else 1 + ErrorKind), then the JSON of the answer or the text of the error
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace mailhold::api {

inline constexpr std::size_t request_bytes_max = 64U << 20;  // a list of recipients may be long

std::string encode_reply(const Result<std::string>& answer);
Result<std::string> parse_reply(std::string_view bytes);

}  // namespace mailhold::api
