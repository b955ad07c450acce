// What apid answers, as the command line reads it.
#include <cstdint>
#include <cstdlib>

#include "core/api/api_messages.h"
#include "fuzz_seeds.h"

using namespace mailhold;

std::vector<std::string> fuzz_seeds() {
  return {api::encode_reply(std::string("{}")), api::encode_reply(Error{ErrorKind::not_found, "no such tenant"})};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto reply = api::parse_reply(bytes);
  if (!reply && static_cast<int>(reply.error().kind) > static_cast<int>(ErrorKind::bug)) std::abort();
  if (reply && api::encode_reply(reply) != bytes) std::abort();
  return 0;
}
