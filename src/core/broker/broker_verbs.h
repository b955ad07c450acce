// What brokerd shows and takes over the API as JSON.
#pragma once

#include <string>

#include "core/access/connection.h"
#include "core/access/people.h"
#include "core/access/route.h"

namespace mailhold::broker {

// The route that a route.set describes. invalid_input names the argument.
Result<access::Route> route_from(const access::Operation& operation, Id id);

// The connection that a connection.set describes: what it does not say stays as it was before. invalid_input names the argument.
Result<access::Connection> connection_from(const access::Operation& operation, Id id, const access::Connection* before);

std::string json_of(const access::Connection& connection);
// What waits for the second person, who must see what it is: `shown` is one of these.
std::string json_of_proposal(const std::string& shown, const std::string& hash);
std::string json_of(const access::Person& person);
std::string json_of(const access::Route& route, bool is_default);

}  // namespace mailhold::broker
