#include <cstdint>
#include <cstdlib>

#include "core/broker/http_rules.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  return {"/users/ann/messages/1?$select=subject",
          R"({"requests":[{"id":"1","method":"GET","url":"/users/ann/messages","headers":{"Prefer":"x"}}]})"};
}

std::vector<std::string> fuzz_words() {
  return {"/..", "/.", "%2e", "%2f", "%25", "\\", "/", "?", ";", "\"", "{", "}", "[", "]", ",", "null"};
}

// No target with a step upwards, and no batch, reaches a mailbox outside the scope; what goes on of a batch is judged the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold::broker;
  static const HttpRules rules({"GET /users/{mailbox}/**", "POST /$batch"}, {"ann"});
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto allowed = rules.check("GET", bytes, "")) {
    const std::string path = std::string(bytes.substr(0, bytes.find('?'))) + "/";
    if (allowed->mailboxes != std::vector<std::string>{"ann"} || path.find("/../") != std::string::npos ||
        path.find('\\') != std::string::npos)
      std::abort();
  }
  if (const auto batch = rules.check("POST", "/$batch", bytes)) {
    const auto again = rules.check("POST", "/$batch", batch->body);
    if (!again || again->body != batch->body || again->parts != batch->parts || batch->mailboxes.size() != batch->parts)
      std::abort();
  }
  return 0;
}
