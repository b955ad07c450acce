#include "formats/jwt/client_assertion.h"

#include <string_view>

#include "base/text.h"

namespace mailhold::jwt {
namespace {

// A JSON string (RFC 8259 section 7); control characters become \u escapes.
std::string quoted(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (letter == '"' || letter == '\\') out += '\\';
    if (byte >= 0x20) {
      out += letter;
      continue;
    }
    out += "\\u00";
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out + "\"";
}

}  // namespace

std::string signing_input(const ClientAssertion& assertion) {
  const std::string header =
      R"({"alg":"PS256","typ":"JWT","x5t#S256":)" + quoted(to_base64url(assertion.certificate_sha256)) + "}";
  const std::string issued = std::to_string(assertion.issued_at);
  const std::string claims = R"({"aud":)" + quoted(assertion.audience) + R"(,"iss":)" + quoted(assertion.client_id) +
                             R"(,"sub":)" + quoted(assertion.client_id) + R"(,"jti":)" + quoted(assertion.id) + R"(,"iat":)" +
                             issued + R"(,"nbf":)" + issued + R"(,"exp":)" + std::to_string(assertion.expires_at) + "}";
  return to_base64url(header) + "." + to_base64url(claims);
}

}  // namespace mailhold::jwt
