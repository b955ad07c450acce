// The text of an HTML document that a reader sees, for finding words in it: without tags, scripts, styles and comments, with
// character references decoded. Blocks end in a line end; a word that tags go through stays one word. Linear in time.
#pragma once

#include <string>
#include <string_view>

namespace mailhold::html {

std::string text_of(std::string_view html);  // UTF-8 in, UTF-8 out; not much longer than what goes in

}  // namespace mailhold::html
