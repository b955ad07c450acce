// Fields of a request that the command line made, and text of other people's on its way to a terminal. Internal to this room.
#pragma once

#include <boost/json/object.hpp>

#include <string>
#include <string_view>

#include "base/id.h"

namespace mailhold::recover {

std::string text_of(const boost::json::object& request, std::string_view name);  // empty if there is none
// invalid_input that names the field. Without it: the zero id, where it need not be there.
Result<Id> id_of(const boost::json::object& request, std::string_view name, bool required = true);
// UTF-8 in any case, as JSON must be: what is none shows as U+FFFD.
std::string shown(std::string_view text);

}  // namespace mailhold::recover
