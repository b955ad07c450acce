// What can be read is written and read again as the same; a field that parses as ours is always found to claim our name.
#include <cstdint>
#include <cstdlib>

#include "formats/authres/authres.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  return {"mx.example; spf=pass smtp.mailfrom=a@example.com; dkim=fail (bad) reason=\"x y\" header.d=example.com",
          "mx.example 1; none", "a;b=c reason=\"d\\\"\""};
}

std::vector<std::string> fuzz_words() { return {"\"", "\\", "(", ")", ";", "=", ".", " ", "none", "reason="}; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto header = authres::parse(input);
  if (header && header->authserv_id == "mx.example" && !authres::claims(input, "mx.example")) std::abort();
  (void)authres::claims(input, "mx.example");
  const authres::Header hostile{"mx.example", {{"spf", "fail", std::string(input), {{"smtp", "mailfrom", std::string(input)}}}}};
  const std::string written = authres::write_value(hostile);
  const auto again = authres::parse(written);
  if (!again || again->authserv_id != "mx.example" || again->results.size() != 1) std::abort();
  if (again->results[0].result != "fail" || again->results[0].properties.size() != 1) std::abort();
  return 0;
}
