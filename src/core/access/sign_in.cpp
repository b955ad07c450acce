#include "core/access/sign_in.h"

namespace mailhold::access {

bool is_sign_in(SignIn sign_in) { return sign_in >= SignIn::password && sign_in <= SignIn::assertion; }

std::string_view name_of(SignIn sign_in) {
  switch (sign_in) {
    case SignIn::password: return "password";
    case SignIn::bearer: return "bearer";
    case SignIn::assertion: return "assertion";
  }
  return "?";
}

Result<SignIn> sign_in_named(std::string_view name) {
  for (const SignIn each : {SignIn::password, SignIn::bearer, SignIn::assertion}) {
    if (name_of(each) == name) return each;
  }
  return Error{ErrorKind::invalid_input, "sign_in must be one of password, bearer, assertion"};
}

std::string_view custody_of(SignIn sign_in) { return sign_in == SignIn::assertion ? "C2" : "C3"; }

}  // namespace mailhold::access
