// Names of time zones that mean the same rules everywhere. Pure. Internal to this room.
#pragma once

#include <string>
#include <string_view>

namespace mailhold::ical {

// Whether the IANA time zone database has it: "Europe/Berlin". Not so "W. Europe Standard Time", "Customized Time Zone", or a
// name with a path before it ("/example.org/Europe/Berlin"): what these mean stands in the object alone.
bool is_public_zone(std::string_view name);

}  // namespace mailhold::ical
