#include <cstdint>
#include <cstdlib>

#include "core/broker/http_rules.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  return {"/users/ann/messages/1?$select=subject", "/cal/mailhold-proof-0123456789abcdef0123456789abcdef-1/e.ics",
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
  // A proof writes and deletes nothing but what is its own, wherever a server ends the path.
  static const HttpRules proves({"PUT /**", "DELETE /**", "GET /**"}, {"*"}, "backup.prove");
  for (const char* method : {"PUT", "DELETE", "GET"}) {
    if (!proves.check(method, bytes, "", "*") || bytes.find('%') != std::string_view::npos) continue;
    if (bytes.find("/mailhold-proof-") == std::string_view::npos || bytes.find('?') != std::string_view::npos) std::abort();
  }
  if (const auto batch = rules.check("POST", "/$batch", bytes)) {
    const auto again = rules.check("POST", "/$batch", batch->body);
    if (!again || again->body != batch->body || again->parts != batch->parts || batch->mailboxes.size() != batch->parts)
      std::abort();
  }
  return 0;
}
