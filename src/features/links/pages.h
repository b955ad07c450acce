// The pages that people see instead of a redirect, in English and German: no script, nothing
// loaded from anywhere, readable with a keyboard or a screen reader.
#pragma once

#include <string>
#include <string_view>

#include "features/links/decision.h"
#include "formats/http/response.h"

namespace mailhold::links {

enum class Language { english, german };

// Of the Accept-Language field (RFC 9110 section 12.5.4), English when it names neither.
Language preferred_language(std::string_view accept_language);

// What all pages have in common: status, headers, the frame around the body.
http::Response warning_page(Language language, const url::Url& url, const ClickDecision& decision, std::string_view action,
                            std::string_view proof);
http::Response block_page(Language language, std::string_view address, const ClickDecision& decision);
http::Response preview_page(Language language, std::string_view address, const ClickDecision& decision);

enum class Notice { home, no_such_page, broken_link, too_long, try_again, too_many_requests, bad_request };
http::Response notice_page(Language language, Notice notice, int status);

// Sends the browser on: 302, or 303 after a form. The URL must be one that url::parse wrote.
http::Response redirect(const url::Url& url, int status);

}  // namespace mailhold::links
