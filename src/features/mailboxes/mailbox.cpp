#include "features/mailboxes/mailbox.h"

#include <algorithm>

namespace mailhold::mailboxes {

std::string_view name_of(SpecialUse use) {
  constexpr std::string_view names[] = {"", "inbox", "all", "archive", "drafts", "flagged", "junk", "sent", "trash"};
  return names[static_cast<std::size_t>(use)];
}

std::string_view name_of(MailboxKind kind) { return kind == MailboxKind::dav ? "dav" : "imap"; }

std::optional<MailboxKind> parse_kind(std::string_view name) {
  for (const MailboxKind kind : {MailboxKind::imap, MailboxKind::dav}) {
    if (name == name_of(kind)) return kind;
  }
  return std::nullopt;
}

ItemTypes types_of(MailboxKind kind) {
  if (kind == MailboxKind::imap) return {ItemType::mail};
  return {ItemType::event, ItemType::contact, ItemType::task, ItemType::note};
}

std::string_view item_name(std::string_view id) {
  const std::size_t end = id.rfind('\n');
  return end == std::string_view::npos ? std::string_view() : id.substr(0, end);
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

bool is_below(const FolderPath& path, const FolderPath& top) {
  return path.size() >= top.size() && std::equal(top.begin(), top.end(), path.begin());
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

Result<std::string> MailboxTarget::replace(const Folder&, const std::string&, const Item&, const Deadline&) {
  return Error{ErrorKind::unsupported, "items have no names here, under which their contents could change"};
}

Result<std::unique_ptr<MailboxWatch>> MailboxSource::watch(const Deadline&) {
  return Error{ErrorKind::unsupported, "the server tells nothing by itself"};
}

Result<bool> MailboxSource::is_there(const Folder& folder, const Deadline& deadline) {
  const auto listed = list(folder, deadline);
  if (!listed && listed.error().kind != ErrorKind::not_found) return listed.error();
  return static_cast<bool>(listed);
}

Result<std::optional<std::uint64_t>> MailboxSource::count(const Folder&, const Deadline&) {
  return std::optional<std::uint64_t>();
}

std::string scratch_name(Id job) { return "Mailhold proof " + job.text(); }

}  // namespace mailhold::mailboxes
