// Words as a segment keeps them: texts before they are cut into words, and the marks beside them.
//
// Design: docs/formats/search.md
#pragma once

#include <string>
#include <string_view>

#include "features/search/document.h"

namespace mailhold::search {

inline constexpr std::size_t word_bytes_max = 128;

// The text as it may be indexed: no characters of private use, which marks are made of; no run of letters, digits and "+/=" that
// is no word because it goes on for more than word_bytes_max. UTF-8 in, UTF-8 out.
std::string indexable(std::string_view text);

// Words that no text contains.
std::string marks_of(const Document& document);
std::string mark_of_all();
std::string mark_of_attachment();
std::string mark_of_unreadable();
std::string mark_of(Id mailbox);

}  // namespace mailhold::search
