#include "formats/sasl/credential.h"

#include <algorithm>

#include "base/text.h"

namespace mailhold::sasl {
namespace {

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char letter) { return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f; });
}

}  // namespace

std::string_view name_of(Mechanism mechanism) {
  switch (mechanism) {
    case Mechanism::xoauth2: return "XOAUTH2";
    case Mechanism::scram_sha_256: return "SCRAM-SHA-256";
    case Mechanism::plain: return "PLAIN";
    case Mechanism::login: return "LOGIN";
  }
  return "";
}

Result<Mechanism> choose(const std::vector<std::string>& offered, bool have_token) {
  const auto offers = [&](Mechanism mechanism) {
    return std::any_of(offered.begin(), offered.end(),
                       [&](const std::string& each) { return equals_ignoring_case(each, name_of(mechanism)); });
  };
  if (have_token) {
    if (offers(Mechanism::xoauth2)) return Mechanism::xoauth2;
    return Error{ErrorKind::denied, "server offers no XOAUTH2, and there is a token only"};
  }
  for (const Mechanism mechanism : {Mechanism::scram_sha_256, Mechanism::plain, Mechanism::login}) {
    if (offers(mechanism)) return mechanism;
  }
  return Error{ErrorKind::denied, "server offers none of SCRAM-SHA-256, PLAIN and LOGIN"};
}

Result<UserAndPassword> read_plain(std::string_view message) {
  const std::size_t separator = message.find('\0', 1);
  if (message.empty() || message.front() != '\0' || separator == std::string_view::npos)
    return Error{ErrorKind::corrupt, "not a credential"};
  return UserAndPassword{message.substr(1, separator - 1), message.substr(separator + 1)};
}

Result<SecretText> xoauth2(std::string_view user, std::string_view token) {
  if (has_control(user) || has_control(token)) return Error{ErrorKind::invalid_input, "a user or token with a control character"};
  std::string text;
  text.reserve(user.size() + token.size() + 32);  // one block, so that wiping it leaves no earlier copy
  text.append("user=").append(user).append("\1auth=Bearer ").append(token).append("\1\1");
  return SecretText::take(std::move(text));
}

}  // namespace mailhold::sasl
