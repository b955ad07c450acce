// What an entry says: a type and flat fields, written as canonical JSON (RFC 8785) so that
// equal entries have equal bytes, with a blinder so that its hash tells nothing.
//
// Design: docs/formats/ledger.md, "Clear text"
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "base/id.h"
#include "base/result.h"

namespace mailhold::ledger {

using Value = std::variant<std::string, std::int64_t>;  // strings are UTF-8, integers below 2^53
using Fields = std::map<std::string, Value>;            // names of a-z 0-9 _ . ; not v, t, b, tenant, connection

inline constexpr std::size_t clear_text_bytes_max = 16 * 1024;
inline constexpr std::size_t blinder_bytes = 16;

struct Entry {
  Id tenant;
  Id connection;     // may be none
  std::string type;  // "use.intent"
  Fields fields;
};

// invalid_input if a name, text or number may not stand there; limit_exceeded if it is too long.
Result<std::string> write_clear_text(const Entry& entry, std::string_view blinder);
// The entry again; corrupt unless the bytes are exactly what write_clear_text gives.
Result<Entry> parse_clear_text(std::string_view json);

}  // namespace mailhold::ledger
