// What linkd answers to the command line: JSON in, JSON out.
//   link.check   {"tenant", "url"}  -> {"decision", "reasons", "resembles", "host", "url"}; visits and records nothing
//   link.open    {"link"}           -> {"tenant", "message", "wrapped_at", "url"}; a whole link or its token
//   link.reload  {}                 -> {"rules", "refused"}; the indicator file
// A tenant is named by its id, its name or one of its domains.
#pragma once

#include <string>
#include <string_view>

#include "features/links/click_service.h"

namespace mailhold::links {

// invalid_input for a request without what the verb needs, not_found for an unknown verb or tenant, else as ClickService.
Result<std::string> answer_verb(ClickService& service, std::string_view request, const Deadline& deadline);

}  // namespace mailhold::links
