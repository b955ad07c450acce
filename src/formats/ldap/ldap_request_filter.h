// LdapRequestFilter: what a worker may ask a directory it is bound to: searches below the bases of the connection, for named
// attributes that are no credentials, also not in the search filter; abandon, unbind, "Who am I?". Any thread; pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/ldap/ldap_message.h"

namespace mailhold::ldap {

// denied says why not. Whoever was refused a search may go on; another refused operation ends the session.
Status check_request(const Message& message, const std::vector<std::string>& bases);

// Whether the DN lies at or below one of the bases ("*": all). A DN with escapes or quotes is only ever below "*".
bool is_below(std::string_view dn, const std::vector<std::string>& bases);

}  // namespace mailhold::ldap
