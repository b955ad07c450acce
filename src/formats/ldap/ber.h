// BER elements (X.690) as LDAP restricts them (RFC 4511 section 5.1): definite lengths, one-byte tags.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mailhold::ldap {

struct Element {
  std::uint8_t tag = 0;
  std::string_view content;
};

// Reads elements one after the other; the first that is not sound ends it.
class BerReader {
 public:
  explicit BerReader(std::string_view bytes) : rest_(bytes) {}
  std::optional<Element> next();
  std::optional<Element> next(std::uint8_t tag);         // of that tag only
  std::optional<std::int64_t> number(std::uint8_t tag);  // INTEGER or ENUMERATED of up to 4 bytes
  bool is_at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

// The size of the whole element that begins here; nothing while its length has not arrived; invalid_input for a length that
// LDAP does not allow.
Result<std::optional<std::size_t>> element_size(std::string_view bytes);

std::string element(std::uint8_t tag, std::string_view content);
std::string integer(std::uint8_t tag, std::uint32_t value);

}  // namespace mailhold::ldap
