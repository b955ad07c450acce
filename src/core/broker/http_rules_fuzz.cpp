#include <cstdint>
#include <cstdlib>

#include "core/broker/http_rules.h"

// No target with a step upwards, and no batch, reaches a mailbox outside the scope; what goes on of a batch is judged the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold::broker;
  static const HttpRules rules({"GET /users/{mailbox}/**", "POST /$batch"}, {"ann"});
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto allowed = rules.check("GET", bytes, "")) {
    const std::string_view path = bytes.substr(0, bytes.find('?'));
    if (allowed->mailboxes != std::vector<std::string>{"ann"} || path.find("/..") != std::string_view::npos ||
        path.find('\\') != std::string_view::npos)
      std::abort();
  }
  if (const auto batch = rules.check("POST", "/$batch", bytes)) {
    const auto again = rules.check("POST", "/$batch", batch->body);
    if (!again || again->body != batch->body || again->parts != batch->parts || batch->mailboxes.size() != batch->parts)
      std::abort();
  }
  return 0;
}
