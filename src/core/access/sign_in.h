// SignIn: how Mailhold signs in at a tenant's server, over a connection or a route; it decides the custody level.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mailhold::access {

enum class SignIn : std::uint8_t {
  password = 1,   // user and password
  bearer = 2,     // user and a token that was entered
  assertion = 3,  // a client key in keyd: OAuth 2.0 client credentials (RFC 7523)
};

bool is_sign_in(SignIn sign_in);                      // one of these
std::string_view name_of(SignIn sign_in);             // "password"
Result<SignIn> sign_in_named(std::string_view name);  // invalid_input names those there are

// Who keeps what signs in: C0 an agent of the customer, C1 an HSM, C2 a key sealed and used in keyd, C3 a password sealed.
std::string_view custody_of(SignIn sign_in);

}  // namespace mailhold::access
