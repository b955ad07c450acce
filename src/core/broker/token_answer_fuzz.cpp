#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "core/broker/token_request.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  return {"\1{\"access_token\":\"eyJh.b.c-_~\",\"token_type\":\"Bearer\",\"expires_in\":3599}",
          "\1{\"token_type\":\"mtls_pop\",\"access_token\":\"a\"}",
          "\2{\"error\":\"invalid_client\",\"error_description\":\"AADSTS\"}", "\3", "\4{\"error\":\"temporarily_unavailable\"}"};
}

std::vector<std::string> fuzz_words() {
  return {"\"access_token\"",
          "\"token_type\"",
          "\"expires_in\"",
          "\"error\"",
          "Bearer",
          "invalid_grant",
          "\\u0000",
          "{",
          "}",
          ":",
          ","};
}

// Whatever an endpoint answers: a token only with 200, one that fits a header and a SASL message, and nothing of its words goes
// on.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr int statuses[] = {200, 200, 401, 302, 503};
  const int status = statuses[data[0] % std::size(statuses)];
  const auto is_plain = [](char letter) { return letter > 0x20 && letter < 0x7f; };
  const auto token = mailhold::broker::read_token_answer(status, {reinterpret_cast<const char*>(data) + 1, size - 1});
  if (token) {
    const std::string_view text = token->reveal();
    if (status != 200 || text.empty() || !std::all_of(text.begin(), text.end(), is_plain)) std::abort();
  } else if (token.error().detail.size() > 120) {
    std::abort();
  }
  return 0;
}
