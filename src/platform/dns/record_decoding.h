// The data of a record as it came from the wire, as a value. Names in it are uncompressed (libunbound does that).
#pragma once

#include <optional>
#include <string_view>

#include "base/dns_answer.h"

namespace mailhold::dns {

// Nothing if the data is malformed, too long or holds a name that normal_name() refuses. An MX of "." (RFC 7505) has an empty
// name.
std::optional<Record> decode_record(RecordType type, std::string_view data);

}  // namespace mailhold::dns
