// Signing operations with a person's key, for the commands that need one.
#pragma once

#include <boost/json.hpp>
#include <map>
#include <string>

#include "core/access/operation.h"
#include "programs/mailhold/console.h"

namespace mailhold::cli {

inline constexpr std::string_view key_file_head = "mailhold-person-key-1";

// Whether --key is a person's key; the error says how to come by one.
Status check_key(const Typed& typed);

// Signs the operation with --key and sends it; `more` goes along unsigned. The answer.
Result<std::string> sign_and_send(Console& console, const Typed& typed, const std::string& type, Id tenant,
                                  std::map<std::string, std::string> arguments, boost::json::object more = {});
// The same; the answer is printed.
Status apply(Console& console, const Typed& typed, const std::string& type, Id tenant,
             std::map<std::string, std::string> arguments, boost::json::object more = {});

// --tenant, or the region itself without it.
Result<Id> tenant_of(Console& console, const Typed& typed);

}  // namespace mailhold::cli
