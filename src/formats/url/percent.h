// Percent-encoding after the URL Standard, section 1.3. Internal to formats/url.
#pragma once

#include <string>
#include <string_view>

namespace mailhold::url {

enum class EncodeSet { fragment, query, path, userinfo };

void append_encoded(std::string& out, std::string_view utf8, EncodeSet set);
std::string percent_decoded(std::string_view text);  // "%zz" stays as it is

}  // namespace mailhold::url
