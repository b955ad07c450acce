// parse_query: what a person types to find messages, as it is asked of segments.
//
//   report "budget 2026" -draft invoi*      all of these: words, a phrase, not that word, words that begin so
//   from: to: subject: attachment:          a word or "phrase" in senders, recipients, subject, names and texts of attachments
//   folder:"Projects/2026"                  in that folder or below it
//   after:2026-01-01 before:2026-02-01      received (of what is no mail: dated) on that day or later; before that day (UTC)
//   has:attachment has:unreadable           an attachment; a document among them whose text could not be read, or not to its end
//
// Upper and lower case are the same, and so are letters with and without accents. An error says at which character, and
// never quotes the text: it may go into a log.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "features/search/document.h"

namespace mailhold::search {

inline constexpr std::size_t query_bytes_max = 4096;
inline constexpr std::size_t query_terms_max = 64;

struct ParsedQuery {
  std::string words;   // FTS5; never empty
  std::string folder;  // empty: any
  Milliseconds from = 0;
  Milliseconds until = 0;

  // Asked of one mailbox only, or of all of the tenant with none.
  Question question(Id mailbox, std::uint32_t limit) const;
};

Result<ParsedQuery> parse_query(std::string_view text);  // invalid_input

// Whatever the index has of a mailbox.
Question everything_in(Id mailbox, std::uint32_t limit);

}  // namespace mailhold::search
