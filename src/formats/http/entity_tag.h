// Entity tags (RFC 9110 section 8.8.3): how a server names one version of what lies at a path. Pure.
#pragma once

#include <string_view>

namespace mailhold::http {

// Whether it is one strong tag, quotes and all, and nothing else: what If-Match (section 13.1.1) can be relied on with. Weak ones
// (W/"…") name versions that may differ; "*" and lists fit more than one.
bool is_strong_tag(std::string_view text);

}  // namespace mailhold::http
