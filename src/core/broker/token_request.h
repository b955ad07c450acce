// TokenEndpoint: how authd gets an access token for one use: a client assertion of keyd's, posted to the tenant's token endpoint
// (RFC 6749 section 4.4 with RFC 7523 section 2.2). The endpoint is not trusted with anything but the assertion: redirects are
// not followed, and whatever it says beside the token goes nowhere. One thread; once.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/result.h"
#include "base/secret_text.h"
#include "platform/ipc/channel.h"

namespace mailhold::broker {

struct TokenEndpoint {
  std::string host;
  std::uint16_t port = 443;
  std::string ca;        // "system" or PEM text, that verifies it for this host's name
  ipc::OwnedFd socket;   // connected, no TLS yet
  std::string use_id{};  // the leaf of the intent in hex: told as client-request-id, so that their log and ours can be compared
};

// What keyd answers to the template "client_assertion". Called once, when the endpoint is verified.
using AskForAssertion = std::function<Result<SecretText>()>;

// The token. denied: another endpoint than the secret's, the client or its assertion was refused, a token of another kind or one
// that has expired; unavailable: it does not answer now; invalid_input, limit_exceeded: what it answers cannot be read.
Result<SecretText> ask_for_token(TokenEndpoint endpoint, const AskForAssertion& assertion, const Deadline& deadline);

// What the endpoint answered, read strictly. The same errors.
Result<SecretText> read_token_answer(int status, std::string_view body);

// A UUID made of the use's leaf.
std::string request_id_of(const std::string& use_id);

}  // namespace mailhold::broker
