#include "formats/imap/imap_purpose.h"

#include <algorithm>
#include <initializer_list>

#include "base/text.h"

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

bool may_name(Purpose purpose, const std::vector<std::string>& folders, std::string_view folder) {
  return purpose == Purpose::backup_prove ? is_proof_folder(folder) : is_in_scope(folders, folder);
}

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

bool is_in_scope(const std::vector<std::string>& patterns, std::string_view folder) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    if (pattern == "*") return true;
    if (pattern.ends_with("/*")) return folder.starts_with(std::string_view(pattern).substr(0, pattern.size() - 1));
    return pattern == folder || (equals_ignoring_case(pattern, "INBOX") && equals_ignoring_case(folder, "INBOX"));
  });
}

std::vector<std::string> shown_capabilities(Purpose purpose, const std::vector<std::string>& offered) {
  constexpr std::string_view known[] = {"IMAP4rev1", "LITERAL+", "LITERAL-", "IDLE",        "NAMESPACE",     "UIDPLUS",
                                        "CONDSTORE", "QRESYNC",  "ENABLE",   "SPECIAL-USE", "LIST-EXTENDED", "LIST-STATUS",
                                        "ESEARCH",   "UNSELECT", "CHILDREN", "WITHIN"};
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

Status check_command(Purpose purpose, const std::vector<std::string>& folders, const Words& words) {
  std::string command;
  for (const std::string& keyword : words.keywords) command += (command.empty() ? "" : " ") + keyword;
  if (!is_allowed(purpose, command)) return refused("this purpose does not allow the command");
  if (names_a_folder(command) && (words.arguments.empty() || !may_name(purpose, folders, words.arguments.front())))
    return refused("the folder is outside the scope of this connection");
  if (command == "STORE" || command == "UID STORE") return check_store(purpose, words.arguments);
  if (command == "APPEND" && mentions(words.arguments, "\\deleted")) return refused("what is added is not deleted at once");
  return done();
}

}  // namespace mailhold::imap
