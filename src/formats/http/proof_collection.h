// The collections of a DAV server that backup.prove may make, fill, look into and delete, as formats/imap/imap_purpose.h says it
// of folders: those whose last name in the path is "mailhold-proof-", 32 small hex digits, "-" and a number of at most four
// digits.
#pragma once

#include <string_view>

namespace mailhold::http {

inline constexpr std::string_view proof_collection_prefix = "mailhold-proof-";
bool is_proof_collection(std::string_view name);

}  // namespace mailhold::http
