// Folder names between IMAP and UTF-8: modified UTF-7 (RFC 3501 section 5.1.3), or plain UTF-8 where UTF8=ACCEPT was
// enabled (RFC 6855). And strings as commands carry them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mailhold::imap {

inline constexpr std::size_t folder_name_bytes_max = 4096;

std::string to_modified_utf7(std::string_view utf8);
// Nothing unless to_modified_utf7 gives exactly `name` again: a name that could be spelled two ways would not come back.
std::optional<std::string> from_modified_utf7(std::string_view name);

// "a \"quoted\" string". Nothing for what only a literal could carry: CR, LF, NUL, bytes above ASCII unless `utf8`.
std::optional<std::string> quoted_string(std::string_view text, bool utf8 = false);

// Whether a command can carry it as a flag: an atom, which a backslash may stand before.
bool is_flag(std::string_view text);

}  // namespace mailhold::imap
