// Mailboxes as the envelope carries them (RFC 5321 section 4.1.2): parsed, compared, written.
// Limits: 254 bytes for a mailbox, 253 for a domain. ASCII only: SMTPUTF8 is not offered.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace mailhold::smtp {

// The null reverse-path "<>" is an Address with both parts empty.
struct Address {
  std::string local{};   // unquoted, case kept
  std::string domain{};  // lower case; an address literal keeps its brackets: [192.0.2.1]

  bool is_null() const { return local.empty() && domain.empty(); }
  // local@domain, quoted where the local part needs it; empty for the null path.
  std::string text() const;
  // The form under which recipients are compared: text() in lower case.
  std::string key() const;

  friend bool operator==(const Address&, const Address&) = default;
};

// "ann@example.test", without angle brackets. invalid_input when it is no mailbox.
Result<Address> parse_mailbox(std::string_view text);

// A path with its angle brackets at the start of `text`, which is moved behind it. A source route
// (RFC 5321 appendix C) is read and dropped. "<>" gives the null path. invalid_input otherwise.
Result<Address> take_path(std::string_view& text);

// RFC 5321 section 4.1.2 Domain (letters, digits, hyphens; underscores are let through) or an address literal.
bool is_domain(std::string_view text);
bool is_address_literal(std::string_view text);

}  // namespace mailhold::smtp
