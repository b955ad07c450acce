// The sentences of the click pages in each language. HTML, not escaped again.
#pragma once

#include <string_view>
#include <utility>

#include "features/links/pages.h"

namespace mailhold::links {

enum class PageText {
  footer,
  host,
  address,
  warn_heading,
  warn_intro,
  warn_advice,
  go_on,
  block_heading,
  block_intro,
  block_advice,
  preview_heading,
  preview_intro,
  preview_allowed,
  preview_warned,
  preview_blocked,
};

std::string_view text_of(Language language, PageText text);
std::string_view text_of(Language language, ClickReason reason);
std::pair<std::string_view, std::string_view> text_of(Language language, Notice notice);  // heading, text

}  // namespace mailhold::links
