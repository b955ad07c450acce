// Compares two vCards of one version by what they mean. One version is not turned into another: that loses too much to be called
// the same.
//
// Not compared, because servers write it of their own: PRODID, REV, X-RADICALE-NAME.
#pragma once

#include "formats/contentlines/meaning.h"

namespace mailhold::vcard {

// invalid_input, limit_exceeded: one of them cannot be read.
Result<contentlines::Difference> difference_of(std::string_view a, std::string_view b);

}  // namespace mailhold::vcard
