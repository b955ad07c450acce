// Reading the TOML file into "section.key" -> text. Only settings.cpp calls this; it
// stands apart because the TOML library is dear to compile.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mailhold {

// invalid_input names file, line and column. Values: strings, whole numbers, booleans, lists of strings without spaces.
// ASCII, but for comments that have their line to themselves.
Result<std::map<std::string, std::string>> read_toml(std::string_view text, std::string_view file_name);

}  // namespace mailhold
