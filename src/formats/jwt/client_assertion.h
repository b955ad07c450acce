// ClientAssertion: the claims by which a client proves itself to a token endpoint (RFC 7523 section 3), with PS256 (RFC 7518
// section 3.5) and the certificate's thumbprint (RFC 7515 section 4.1.8).
#pragma once

#include <cstdint>
#include <string>

namespace mailhold::jwt {

struct ClientAssertion {
  std::string client_id;           // iss and sub
  std::string audience;            // the token endpoint
  std::string certificate_sha256;  // 32 bytes: x5t#S256
  std::string id;                  // jti
  std::int64_t issued_at = 0;      // seconds since 1970: iat and nbf
  std::int64_t expires_at = 0;     // exp
};

// base64url(header) "." base64url(claims): what is signed.
std::string signing_input(const ClientAssertion& assertion);

}  // namespace mailhold::jwt
