// What brokerd shows and takes over the API as JSON.
#pragma once

#include <string>

#include "core/access/people.h"
#include "core/access/route.h"

namespace mailhold::broker {

// The route that a route.set describes. invalid_input names the argument.
Result<access::Route> route_from(const access::Operation& operation, Id id);

std::string json_of(const access::Person& person);
std::string json_of(const access::Route& route, bool is_default);

}  // namespace mailhold::broker
