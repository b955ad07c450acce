// What a purpose allows a worker to say over IMAP. Whatever is not written here is refused.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mailhold::imap {

enum class Purpose { backup_read, restore_write, journal, backup_prove };
// "backup.read", "restore.write", "journal", "backup.prove"; else unsupported
Result<Purpose> purpose_of(std::string_view name);

// The only folders that backup.prove may make, look into, empty and delete: "Mailhold proof " and 32 small hex digits, at the
// top, or below INBOX where a server wants all folders there. No scope of a connection adds to them or takes from them.
inline constexpr std::string_view proof_folder_prefix = "Mailhold proof ";
bool is_proof_folder(std::string_view folder);

// How a session spells names of folders: the second once UTF8=ACCEPT was enabled (RFC 6855).
enum class FolderNames { modified_utf7, utf8 };

// Whether a folder may be named. Patterns: "*" for all, "Archive/*" for what begins so, else the name; INBOX in any case.
// Patterns may be in UTF-8 or modified UTF-7; names are compared as what they mean in the session. A name in UTF-8 that a server
// could read as modified UTF-7 of another one is in the scope of "*" only.
bool is_in_scope(const std::vector<std::string>& patterns, std::string_view folder,
                 FolderNames names = FolderNames::modified_utf7);

inline constexpr std::string_view utf8_accept = "UTF8=ACCEPT";

// The capabilities of a server that a worker may know of. MULTIAPPEND only to one that restores, and only beside LITERAL+.
std::vector<std::string> shown_capabilities(Purpose purpose, const std::vector<std::string>& offered);

// A whole command, its words in upper case where they are keywords. `words[0]` is the command.
struct Words {
  std::vector<std::string> keywords;   // UID FETCH: two of them
  std::vector<std::string> arguments;  // decoded astrings and raw lists, in order
};

// denied says why a purpose does not allow it.
Status check_command(Purpose purpose, const std::vector<std::string>& folders, const Words& words,
                     FolderNames names = FolderNames::modified_utf7);

}  // namespace mailhold::imap
