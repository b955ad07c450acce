#include "formats/imap/imap_purpose.h"

#include <algorithm>
#include <initializer_list>

#include "base/text.h"
#include "formats/imap/folder_name.h"

namespace mailhold::imap {
namespace {

using Names = std::initializer_list<std::string_view>;

const Names everywhere = {"CAPABILITY", "NOOP",  "LOGOUT", "ENABLE", "NAMESPACE", "LIST",     "LSUB",      "STATUS",
                          "EXAMINE",    "CHECK", "SEARCH", "FETCH",  "IDLE",      "UNSELECT", "UID FETCH", "UID SEARCH"};
// SELECT lets a session change flags, so that those which only read have EXAMINE.
const Names restoring = {"SELECT", "APPEND", "CREATE", "SUBSCRIBE", "STORE", "UID STORE"};
// Nothing of the mailbox but the names of its folders: what acts on a folder acts on one that was selected, and only proof
// folders can be.
const Names proving = {"CAPABILITY", "NOOP",   "LOGOUT", "ENABLE", "NAMESPACE", "LIST",    "EXAMINE",   "FETCH",       "UNSELECT",
                       "UID FETCH",  "SELECT", "APPEND", "CREATE", "STORE",     "EXPUNGE", "UID STORE", "UID EXPUNGE", "DELETE"};
const Names journaling = {"SELECT", "STORE", "UID STORE", "EXPUNGE", "UID EXPUNGE"};

bool is_among(Names names, std::string_view name) { return std::find(names.begin(), names.end(), name) != names.end(); }

bool is_allowed(Purpose purpose, std::string_view command) {
  if (purpose == Purpose::backup_prove) return is_among(proving, command);
  if (is_among(everywhere, command)) return true;
  if (purpose == Purpose::restore_write) return is_among(restoring, command);
  return purpose == Purpose::journal && is_among(journaling, command);
}

Error refused(const std::string& why) { return {ErrorKind::denied, why}; }

bool names_a_folder(std::string_view command) {
  return is_among({"STATUS", "EXAMINE", "SELECT", "APPEND", "CREATE", "SUBSCRIBE", "DELETE"}, command);
}

bool may_name(Purpose purpose, const std::vector<std::string>& folders, std::string_view folder, FolderNames names) {
  return purpose == Purpose::backup_prove ? is_proof_folder(folder) : is_in_scope(folders, folder, names);
}

// What turns on anything else could give the words that follow another meaning than they have here.
Status check_enable(const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    if (!equals_ignoring_case(argument, "CONDSTORE") && !equals_ignoring_case(argument, "QRESYNC") &&
        !equals_ignoring_case(argument, utf8_accept))
      return refused("this cannot be enabled");
  }
  return done();
}

// What is no modified UTF-7 stands for itself.
std::string plain_name(std::string_view name) { return from_modified_utf7(name).value_or(std::string(name)); }

bool mentions(const std::vector<std::string>& arguments, std::string_view word) {
  const std::string wanted = to_lower(word);
  return std::any_of(arguments.begin(), arguments.end(),
                     [&](const std::string& each) { return to_lower(each).find(wanted) != std::string::npos; });
}

// A journal is emptied of what was taken, and a proof of what it added, so \Deleted is all they may set; what is restored may
// have every flag but that.
Status check_store(Purpose purpose, const std::vector<std::string>& arguments) {
  if (purpose == Purpose::restore_write)
    return mentions(arguments, "\\deleted") ? Status(refused("restore.write deletes nothing")) : done();
  const std::string last = arguments.empty() ? "" : to_lower(arguments.back());
  if (last != "(\\deleted)" && last != "\\deleted") return refused("this purpose may set \\Deleted only");
  return done();
}

}  // namespace

Result<Purpose> purpose_of(std::string_view name) {
  if (name == "backup.read") return Purpose::backup_read;
  if (name == "restore.write") return Purpose::restore_write;
  if (name == "journal") return Purpose::journal;
  if (name == "backup.prove") return Purpose::backup_prove;
  return Error{ErrorKind::unsupported, "no purpose of IMAP"};
}

bool is_proof_folder(std::string_view folder) {
  constexpr std::size_t digits = 32;
  for (const std::string_view above : {"INBOX.", "INBOX/"}) {
    if (folder.starts_with(above)) folder.remove_prefix(above.size());
  }
  if (!folder.starts_with(proof_folder_prefix)) return false;
  folder.remove_prefix(proof_folder_prefix.size());
  return folder.size() == digits && std::all_of(folder.begin(), folder.end(), [](char letter) {
           return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f');
         });
}

bool is_in_scope(const std::vector<std::string>& patterns, std::string_view folder, FolderNames names) {
  const std::optional<std::string> decoded = from_modified_utf7(folder);
  const bool is_utf8 = names == FolderNames::utf8;
  const bool has_two_meanings = is_utf8 && decoded && *decoded != folder;
  // No modified UTF-7, where that is spoken: only a pattern that is spelled the same means it.
  const bool is_spelled_wrongly = !is_utf8 && !decoded;
  const std::string name = is_utf8 ? std::string(folder) : decoded.value_or(std::string(folder));
  const auto meant_by = [&](std::string_view pattern) { return is_spelled_wrongly ? std::string(pattern) : plain_name(pattern); };
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    if (pattern == "*") return true;
    if (has_two_meanings) return false;
    if (pattern.ends_with("/*")) return name.starts_with(meant_by(std::string_view(pattern).substr(0, pattern.size() - 1)));
    return meant_by(pattern) == name || (equals_ignoring_case(pattern, "INBOX") && equals_ignoring_case(folder, "INBOX"));
  });
}

// Not LITERAL-: the filter does not tell small literals that need not wait from large ones that must.
std::vector<std::string> shown_capabilities(Purpose purpose, const std::vector<std::string>& offered) {
  constexpr std::string_view known[] = {"IMAP4rev1", "LITERAL+", "IDLE",        "NAMESPACE",     "UIDPLUS",     "CONDSTORE",
                                        "QRESYNC",   "ENABLE",   "SPECIAL-USE", "LIST-EXTENDED", "LIST-STATUS", "ESEARCH",
                                        "UNSELECT",  "CHILDREN", "WITHIN",      utf8_accept};
  const auto is_offered = [&offered](std::string_view name) {
    return std::any_of(offered.begin(), offered.end(),
                       [name](const std::string& each) { return equals_ignoring_case(each, name); });
  };
  std::vector<std::string> shown;
  for (const std::string_view name : known) {
    if (is_offered(name)) shown.emplace_back(name);
  }
  if (purpose == Purpose::restore_write && is_offered("LITERAL+") && is_offered("MULTIAPPEND")) shown.emplace_back("MULTIAPPEND");
  return shown;
}

Status check_command(Purpose purpose, const std::vector<std::string>& folders, const Words& words, FolderNames names) {
  std::string command;
  for (const std::string& keyword : words.keywords) command += (command.empty() ? "" : " ") + keyword;
  if (!is_allowed(purpose, command)) return refused("this purpose does not allow the command");
  if (names_a_folder(command) && (words.arguments.empty() || !may_name(purpose, folders, words.arguments.front(), names)))
    return refused("the folder is outside the scope of this connection");
  if (command == "ENABLE") return check_enable(words.arguments);
  if (command == "STORE" || command == "UID STORE") return check_store(purpose, words.arguments);
  if (command == "APPEND" && mentions(words.arguments, "\\deleted")) return refused("what is added is not deleted at once");
  return done();
}

}  // namespace mailhold::imap
