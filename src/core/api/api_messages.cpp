#include "core/api/api_messages.h"

namespace mailhold::api {

std::string encode_reply(const Result<std::string>& answer) {
  std::string reply;
  reply.push_back(answer ? '\0' : static_cast<char>(1 + static_cast<int>(answer.error().kind)));
  return reply + (answer ? *answer : answer.error().detail);
}

Result<std::string> parse_reply(std::string_view bytes) {
  if (bytes.empty()) return Error{ErrorKind::corrupt, "an empty reply"};
  const int outcome = static_cast<unsigned char>(bytes.front());
  if (outcome == 0) return std::string(bytes.substr(1));
  const bool known = outcome - 1 <= static_cast<int>(ErrorKind::bug);
  return Error{known ? static_cast<ErrorKind>(outcome - 1) : ErrorKind::bug, std::string(bytes.substr(1))};
}

}  // namespace mailhold::api
