// LDAP messages that a client sends to sign in, and what a server answers to them (RFC 4511 sections 4.1.1, 4.2, 4.14).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret_text.h"

namespace mailhold::ldap {

inline constexpr std::uint8_t tag_sequence = 0x30, tag_integer = 0x02, tag_octets = 0x04, tag_boolean = 0x01,
                              tag_enumerated = 0x0a;
enum class Operation : std::uint8_t {
  bind_response = 0x61,
  unbind = 0x42,
  search = 0x63,
  search_entry = 0x64,
  search_done = 0x65,
  abandon = 0x50,
  extended = 0x77,
  extended_response = 0x78,
};

std::string start_tls_request(std::uint32_t id);
SecretText simple_bind_request(std::uint32_t id, std::string_view dn, std::string_view password);

struct Message {
  std::int64_t id = 0;
  std::uint8_t operation = 0;
  std::string_view content;   // of the operation
  std::string_view controls;  // of the [0], or empty
};
Result<Message> parse_message(std::string_view bytes);  // exactly one; invalid_input

// The resultCode of an answer; invalid_input if it is none.
Result<std::int64_t> result_code(const Message& message);

// Why a bind was refused, in words of ours: "wrong user or password", "the account is disabled". Active Directory gives the
// reason as a number in its diagnostic message ("… data 52e, …"); nothing else of that text is taken. Empty: nothing is known.
std::string_view reason_of_refusal(const Message& message);

std::string search_refused(std::int64_t id, std::string_view why);  // insufficientAccessRights

}  // namespace mailhold::ldap
