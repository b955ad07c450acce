#include "features/mailboxes/mailbox.h"

namespace mailhold::mailboxes {

std::string_view name_of(SpecialUse use) {
  constexpr std::string_view names[] = {"", "inbox", "all", "archive", "drafts", "flagged", "junk", "sent", "trash"};
  return names[static_cast<std::size_t>(use)];
}

std::string path_text(const FolderPath& path) {
  std::string text;
  for (const std::string& name : path) {
    if (&name != &path.front()) text += '/';
    for (const char letter : name) {
      if (letter == '/' || letter == '\\') text += '\\';
      text += letter;
    }
  }
  return text;
}

FolderPath parse_path(std::string_view text) {
  FolderPath path;
  if (text.empty()) return path;
  path.emplace_back();
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\\' && at + 1 < text.size()) {
      path.back() += text[++at];
    } else if (text[at] == '/') {
      path.emplace_back();
    } else {
      path.back() += text[at];
    }
  }
  return path;
}

Status MailboxTarget::add_all(const Folder& folder, const Additions& additions, const Deadline& deadline) {
  for (;;) {
    ASSIGN_OR_RETURN(const std::optional<Item> item, additions.next());
    if (!item) return done();
    const Result<std::string> id = add(folder, *item, deadline);
    if (!id && id.error().kind != ErrorKind::denied) return id.error();
    RETURN_IF_ERROR(additions.added(id));
  }
}

}  // namespace mailhold::mailboxes
