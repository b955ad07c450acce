#include "features/mailboxes/imap/imap_mailbox.h"

#include <algorithm>
#include <deque>
#include <set>

#include "base/text.h"
#include "features/mailboxes/imap/imap_append.h"
#include "features/mailboxes/imap/imap_watch.h"
#include "formats/imap/folder_name.h"

namespace mailhold::mailboxes {
namespace {

constexpr std::size_t contents_at_once = 100;
constexpr std::size_t fetches_under_way = 2;
constexpr std::string_view head_items = "(UID FLAGS INTERNALDATE RFC822.SIZE)";
const ImapSession::Take ignore = [](imap::Response&) { return done(); };

// By UID, for then no server minds that there may be none.
std::string all_messages() { return "UID FETCH 1:* " + std::string(head_items); }

Error contradicts(const char* what) { return {ErrorKind::corrupt, std::string("the server contradicts itself: ") + what}; }

// \Recent belongs to a session, not to a message.
std::vector<std::string> kept_flags(std::vector<std::string> flags) {
  std::erase_if(flags, [](const std::string& flag) { return equals_ignoring_case(flag, "\\Recent"); });
  std::sort(flags.begin(), flags.end());
  flags.erase(std::unique(flags.begin(), flags.end()), flags.end());
  return flags;
}

SpecialUse use_of(const imap::ListedFolder& folder) {
  constexpr std::pair<std::string_view, SpecialUse> uses[] = {
      {"\\All", SpecialUse::all},         {"\\Archive", SpecialUse::archive}, {"\\Drafts", SpecialUse::drafts},
      {"\\Flagged", SpecialUse::flagged}, {"\\Junk", SpecialUse::junk},       {"\\Sent", SpecialUse::sent},
      {"\\Trash", SpecialUse::trash}};
  if (equals_ignoring_case(folder.name, "INBOX")) return SpecialUse::inbox;
  for (const std::string& attribute : folder.attributes) {
    for (const auto& [name, use] : uses) {
      if (equals_ignoring_case(attribute, name)) return use;
    }
  }
  return SpecialUse::none;
}

bool holds_items(const imap::ListedFolder& folder) {
  return std::none_of(folder.attributes.begin(), folder.attributes.end(), [](const std::string& attribute) {
    return equals_ignoring_case(attribute, "\\Noselect") || equals_ignoring_case(attribute, "\\NonExistent");
  });
}

}  // namespace

Result<std::unique_ptr<ImapMailbox>> ImapMailbox::open(std::unique_ptr<net::Stream> stream, bool writes,
                                                       const ImapSessionSettings& settings, const Deadline& deadline) {
  ASSIGN_OR_RETURN(std::unique_ptr<ImapSession> session, ImapSession::start(std::move(stream), settings, deadline));
  return std::unique_ptr<ImapMailbox>(new ImapMailbox(std::move(session), writes));
}

Result<std::string> ImapMailbox::quoted(std::string_view id) const {
  std::string name(id);
  if (session_->is_utf8()) name = imap::from_modified_utf7(id).value_or(name);
  const auto text = imap::quoted_string(name, session_->is_utf8());
  if (!text) return Error{ErrorKind::unsupported, "the name of a folder that no command can carry"};
  return *text;
}

FolderPath ImapMailbox::path_of_id(std::string_view id) const {
  FolderPath path;
  if (separator_.empty()) {
    path.emplace_back(id);
  } else {
    for (const std::string_view each : split(id, separator_.front())) path.emplace_back(each);
  }
  for (std::string& each : path) {
    // A name that is no modified UTF-7 is shown as the server spells it.
    each = imap::from_modified_utf7(each).value_or(each);
  }
  if (!path.empty() && equals_ignoring_case(path.front(), "INBOX")) path.front() = "INBOX";
  return path;
}

std::string ImapMailbox::id_of_path(const FolderPath& path) const {
  std::string id;
  for (const std::string& each : path) {
    if (&each != &path.front()) id += separator_;
    id += imap::to_modified_utf7(each);
  }
  return id;
}

Result<std::vector<Folder>> ImapMailbox::folders(const Deadline& deadline) {
  std::vector<Folder> folders;
  std::set<std::string> names;
  const auto take = [&](imap::Response& response) -> Status {
    if (response.kind != imap::Response::Kind::list) return done();
    const imap::ListedFolder& listed = response.folder;
    if (separator_.empty()) separator_ = listed.separator;
    if (listed.name.empty() || listed.name.size() > imap::folder_name_bytes_max || !names.insert(listed.name).second)
      return done();
    if (folders.size() == folders_max) return Error{ErrorKind::limit_exceeded, "the mailbox has too many folders"};
    const std::string id = session_->is_utf8() ? imap::to_modified_utf7(listed.name) : listed.name;
    Folder folder{id, path_of_id(id), use_of(listed), holds_items(listed)};
    while (folder.path.size() > 1 && folder.path.back().empty()) folder.path.pop_back();  // "a/": only below it
    if (folder.path.size() <= folder_depth_max) folders.push_back(std::move(folder));
    return done();
  };
  const bool is_extended = session_->has("SPECIAL-USE") && session_->has("LIST-EXTENDED");
  RETURN_IF_ERROR(session_->run(is_extended ? "LIST \"\" \"*\" RETURN (SPECIAL-USE)" : "LIST \"\" \"*\"", take, deadline));
  return folders;
}

Status ImapMailbox::select(const Folder& folder, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::string name, quoted(folder.id));
  opened_.reset();
  Opened opened{.id = folder.id};
  const auto take = [&](imap::Response& response) -> Status {
    const auto word = [&]() -> std::uint64_t {
      return response.code_words.empty() ? 0 : to_number(response.code_words.front()).value_or(0);
    };
    if (response.kind == imap::Response::Kind::exists) opened.count = response.number;
    if (response.code == "UIDVALIDITY")
      opened.uid_validity = static_cast<std::uint32_t>(std::min<std::uint64_t>(word(), 0xffffffffU));
    if (response.code == "HIGHESTMODSEQ") opened.modseq = word();
    if (response.code == "NOMODSEQ") opened.modseq = 0;
    return done();
  };
  const std::string condstore = session_->has("CONDSTORE") && !session_->has_qresync() ? " (CONDSTORE)" : "";
  RETURN_IF_ERROR(session_->run((writes_ ? "SELECT " : "EXAMINE ") + name + condstore, take, deadline));
  if (opened.uid_validity == 0) return contradicts("a folder without UIDVALIDITY");
  opened_ = opened;
  return done();
}

Status ImapMailbox::stay_in(const Folder& folder, const Deadline& deadline) {
  if (opened_ && opened_->id == folder.id) return done();
  return select(folder, deadline);
}

// EXISTS is a claim. A message that is named beyond it is there.
void ImapMailbox::believe_in(const imap::Response& response) {
  if (response.kind == imap::Response::Kind::fetch) opened_->count = std::max<std::uint64_t>(opened_->count, response.number);
}

// Heads out of the answer to one FETCH. One that nobody asked for tells flags, and neither date nor size: it is passed over. A
// message without a UID of its own, or without flags, cannot be kept as it is: whoever counts finds that it is missing.
Status ImapMailbox::heads_of(const std::string& command, std::vector<ItemHead>& heads, std::vector<std::string>* gone,
                             const Deadline& deadline) {
  std::set<std::uint32_t> seen;
  const auto take = [&](imap::Response& response) -> Status {
    for (const imap::UidRange& range : response.vanished) {
      if (gone == nullptr) break;
      if (range.last - range.first > 50'000'000 - gone->size()) return contradicts("it says that too many messages vanished");
      for (std::uint64_t uid = range.first; uid <= range.last; ++uid)
        gone->push_back(item_id(opened_->uid_validity, static_cast<std::uint32_t>(uid)));
    }
    believe_in(response);
    imap::FetchedMessage& message = response.message;
    if (response.kind != imap::Response::Kind::fetch || message.uid == 0 || !message.flags) return done();
    if (!message.date && !message.size) return done();
    if (!seen.insert(message.uid).second) return done();
    const imap::InternalDate date = message.date.value_or(imap::InternalDate{});
    heads.push_back({item_id(opened_->uid_validity, message.uid),
                     ItemType::mail,
                     date.time,
                     date.zone_minutes,
                     kept_flags(std::move(*message.flags)),
                     {},
                     message.size.value_or(0)});
    return done();
  };
  RETURN_IF_ERROR(session_->run(command, take, deadline));
  return done();
}

// Asked for up to "*" where the folder is said to end, so that a server that counts too few is found out by the same question.
Result<std::uint32_t> ImapMailbox::uid_at(std::uint64_t position, const Deadline& deadline) {
  std::uint32_t uid = 0;
  const auto take = [&](imap::Response& response) -> Status {
    believe_in(response);
    if (response.kind == imap::Response::Kind::fetch && response.number == position) uid = response.message.uid;
    return done();
  };
  const std::string last = position == opened_->count ? ":*" : "";
  RETURN_IF_ERROR(session_->run("FETCH " + std::to_string(position) + last + " (UID)", take, deadline));
  if (uid == 0) return contradicts("a message of the folder cannot be asked for");
  return uid;
}

// The sequence number of the first message above `uid`, by halving; count + 1 if there is none. Without deletions it is `guess`.
Result<std::uint64_t> ImapMailbox::position_after(std::uint32_t uid, std::uint64_t guess, const Deadline& deadline) {
  std::uint64_t low = 1, high = opened_->count + 1;  // low - 1 is known to be at most uid, high to be above
  if (uid == 0) return low;
  // Where nothing was deleted two questions are enough.
  if (guess > 1 && guess <= high) {
    ASSIGN_OR_RETURN(const std::uint32_t before, uid_at(guess - 1, deadline));
    (before <= uid ? low : high) = before <= uid ? guess : guess - 1;
  }
  if (low <= opened_->count && low == guess) {
    ASSIGN_OR_RETURN(const std::uint32_t at, uid_at(guess, deadline));
    (at > uid ? high : low) = at > uid ? guess : guess + 1;
  }
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    ASSIGN_OR_RETURN(const std::uint32_t at, uid_at(middle, deadline));
    (at > uid ? high : low) = at > uid ? middle : middle + 1;
  }
  return low;
}

Result<Changes> ImapMailbox::changes(const Folder& folder, std::string_view mark_bytes, std::size_t limit,
                                     const Deadline& deadline) {
  RETURN_IF_ERROR(select(folder, deadline));
  ImapMark mark = parse_mark(mark_bytes);
  if (mark.uid_validity != opened_->uid_validity) {
    mark = ImapMark{};
    mark.uid_validity = opened_->uid_validity;
    mark.modseq = opened_->modseq;
  }
  const ImapMark begin = mark;
  Changes changes;
  Status told = tell_since(mark, std::max<std::size_t>(limit, 1), changes, deadline);
  if (!told && (told.error().kind == ErrorKind::corrupt || told.error().kind == ErrorKind::denied)) {
    // Its numbers contradict each other, or it refuses to be asked by them: then what it lists decides.
    mark = begin;
    changes = Changes{};
    told = tell_all(mark, changes, deadline);
  }
  RETURN_IF_ERROR(told);
  changes.mark = write_mark(mark);
  return changes;
}

Status ImapMailbox::tell_since(ImapMark& mark, std::size_t limit, Changes& changes, const Deadline& deadline) {
  if (!mark.is_reading) {
    RETURN_IF_ERROR(tell_old_changes(mark, changes, deadline));
    mark.is_reading = true;
  }
  return read_on(mark, limit, changes, deadline);
}

// Everything, in one step.
Status ImapMailbox::tell_all(ImapMark& mark, Changes& changes, const Deadline& deadline) {
  RETURN_IF_ERROR(heads_of(all_messages(), changes.items, nullptr, deadline));
  changes.present.emplace();
  for (const ItemHead& head : changes.items) {
    changes.present->push_back(head.id);
    mark.uid_last = std::max(mark.uid_last, uid_of(head.id, mark.uid_validity));
  }
  changes.count = opened_->count;
  mark.modseq = opened_->modseq;
  mark.count = changes.items.size();
  mark.is_reading = mark.must_list = false;
  return done();
}

// What changed among the messages up to mark.uid_last: flags, and what is gone.
Status ImapMailbox::tell_old_changes(ImapMark& mark, Changes& changes, const Deadline& deadline) {
  if (mark.uid_last == 0) return done();
  const std::string old_messages = "UID FETCH 1:" + std::to_string(mark.uid_last) + " " + std::string(head_items);
  // A HIGHESTMODSEQ that went back tells nothing of what changed since.
  const bool has_modseq = mark.modseq != 0 && opened_->modseq >= mark.modseq;
  if (!has_modseq) {
    RETURN_IF_ERROR(heads_of(old_messages, changes.items, nullptr, deadline));
    std::erase_if(changes.items, [&](const ItemHead& head) { return uid_of(head.id, mark.uid_validity) > mark.uid_last; });
    mark.must_list = changes.items.size() != mark.count;
    mark.count = changes.items.size();
    mark.modseq = opened_->modseq;
    return done();
  }
  if (opened_->modseq != mark.modseq) {
    const std::string since = " (CHANGEDSINCE " + std::to_string(mark.modseq) + (session_->has_qresync() ? " VANISHED)" : ")");
    RETURN_IF_ERROR(heads_of(old_messages + since, changes.items, session_->has_qresync() ? &changes.gone : nullptr, deadline));
  }
  mark.modseq = opened_->modseq;
  ASSIGN_OR_RETURN(const std::uint64_t position, position_after(mark.uid_last, mark.count + 1, deadline));
  if (position - 1 != mark.count && !session_->has_qresync()) mark.must_list = true;
  mark.count = position - 1;
  return done();
}

// Messages above mark.uid_last, at most `limit`.
Status ImapMailbox::read_on(ImapMark& mark, std::size_t limit, Changes& changes, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::uint64_t first, position_after(mark.uid_last, mark.count + 1, deadline));
  std::uint64_t last = std::min<std::uint64_t>(opened_->count, first + limit - 1);
  if (first <= last) {
    std::vector<ItemHead> heads;
    const bool is_last = last == opened_->count;  // as uid_at
    RETURN_IF_ERROR(
        heads_of("FETCH " + std::to_string(first) + ":" + (is_last ? "*" : std::to_string(last)) + " " + std::string(head_items),
                 heads, nullptr, deadline));
    if (is_last) last = opened_->count;
    if (heads.empty()) return contradicts("messages of the folder cannot be asked for");
    for (ItemHead& head : heads) {
      const std::uint32_t uid = uid_of(head.id, mark.uid_validity);
      if (uid <= mark.uid_last && std::find_if(changes.items.begin(), changes.items.end(),
                                               [&](const ItemHead& known) { return known.id == head.id; }) != changes.items.end())
        continue;
      changes.items.push_back(std::move(head));
    }
    for (const ItemHead& head : changes.items) mark.uid_last = std::max(mark.uid_last, uid_of(head.id, mark.uid_validity));
    mark.count = last;
  }
  changes.more = last < opened_->count;
  if (changes.more) return done();
  mark.is_reading = false;
  if (mark.must_list) {
    mark.must_list = false;
    RETURN_IF_ERROR(tell_present(changes, deadline));
  }
  changes.count = opened_->count;
  return done();
}

Result<std::unique_ptr<MailboxWatch>> ImapMailbox::watch(const Deadline& deadline) {
  return ImapWatch::open(std::move(session_), {}, deadline);
}

// Also of a folder that is said to be empty.
Status ImapMailbox::tell_present(Changes& changes, const Deadline& deadline) {
  changes.present.emplace();
  const auto take = [&](imap::Response& response) -> Status {
    believe_in(response);
    if (response.kind == imap::Response::Kind::fetch && response.message.uid != 0)
      changes.present->push_back(item_id(opened_->uid_validity, response.message.uid));
    return done();
  };
  RETURN_IF_ERROR(session_->run("UID FETCH 1:* (UID)", take, deadline));
  return done();
}

Result<bool> ImapMailbox::is_there(const Folder& folder, const Deadline& deadline) {
  const Status selected = select(folder, deadline);
  if (!selected && selected.error().kind != ErrorKind::not_found) return selected.error();
  return static_cast<bool>(selected);
}

Result<std::optional<std::uint64_t>> ImapMailbox::count(const Folder& folder, const Deadline& deadline) {
  RETURN_IF_ERROR(select(folder, deadline));
  return std::optional(opened_->count);
}

Result<std::vector<ItemHead>> ImapMailbox::list(const Folder& folder, const Deadline& deadline) {
  RETURN_IF_ERROR(select(folder, deadline));
  std::vector<ItemHead> heads;
  RETURN_IF_ERROR(heads_of(all_messages(), heads, nullptr, deadline));
  return heads;
}

Status ImapMailbox::fetch(const Folder& folder, const std::vector<std::string>& ids, const Sink& sink, const Deadline& deadline) {
  RETURN_IF_ERROR(stay_in(folder, deadline));
  std::vector<std::uint32_t> uids;
  for (const std::string& id : ids) {
    if (const std::uint32_t uid = uid_of(id, opened_->uid_validity); uid != 0) uids.push_back(uid);
  }
  std::sort(uids.begin(), uids.end());
  std::set<std::uint32_t> wanted;  // asked for, and not come yet
  const auto take = [&](imap::Response& response) -> Status {
    imap::FetchedMessage& message = response.message;
    // What was not asked for, or comes twice, is not believed.
    if (!message.content && message.content_bytes_dropped == 0) return done();
    if (wanted.erase(message.uid) == 0) return done();
    const std::string id = item_id(opened_->uid_validity, message.uid);
    if (message.content) return sink.take({id, ContentForm::mime, std::move(*message.content)});
    sink.too_large(id, message.content_bytes_dropped);
    return done();
  };
  // The server is at work on the next batch while this one comes in.
  std::deque<std::string> tags;
  std::size_t at = 0;
  Status outcome = done();
  while (!tags.empty() || (outcome && at < uids.size())) {
    while (outcome && at < uids.size() && tags.size() < fetches_under_way) {
      const std::size_t end = std::min(at + contents_at_once, uids.size());
      const std::vector<std::uint32_t> batch(uids.begin() + static_cast<std::ptrdiff_t>(at),
                                             uids.begin() + static_cast<std::ptrdiff_t>(end));
      wanted.insert(batch.begin(), batch.end());
      Result<std::string> tag = session_->send("UID FETCH " + imap::write_uid_set(batch) + " (UID BODY.PEEK[])", deadline);
      if (!tag) {
        outcome = tag.error();
        break;
      }
      tags.push_back(std::move(*tag));
      at = end;
    }
    if (tags.empty()) break;
    const auto answered = session_->await(tags.front(), take, deadline);
    tags.pop_front();
    if (!answered && outcome) outcome = answered.error();
  }
  return outcome;
}

Result<Folder> ImapMailbox::make_folder(const FolderPath& path, const Deadline& deadline) { return make(path, true, deadline); }

// Not subscribed: nobody's mail program needs to see it.
Result<Folder> ImapMailbox::make_scratch(Id job, const FolderPath&, const Deadline& deadline) {
  Result<Folder> made = make({scratch_name(job)}, false, deadline);
  if (!made && made.error().kind == ErrorKind::denied) return make({"INBOX", scratch_name(job)}, false, deadline);
  return made;
}

Status ImapMailbox::remove_scratch(Id job, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::vector<Folder> known, folders(deadline));
  for (const Folder& folder : known) {
    const bool is_it = folder.path == FolderPath{scratch_name(job)} || folder.path == FolderPath{"INBOX", scratch_name(job)};
    if (!is_it) continue;
    RETURN_IF_ERROR(select(folder, deadline));
    if (opened_->count > 0) {
      RETURN_IF_ERROR(session_->run("UID STORE 1:* +FLAGS.SILENT (\\Deleted)", ignore, deadline));
      RETURN_IF_ERROR(session_->run("EXPUNGE", ignore, deadline));
    }
    opened_.reset();
    if (session_->has("UNSELECT")) RETURN_IF_ERROR(session_->run("UNSELECT", ignore, deadline));
    ASSIGN_OR_RETURN(const std::string name, quoted(folder.id));
    RETURN_IF_ERROR(session_->run("DELETE " + name, ignore, deadline));
  }
  return done();
}

Result<Folder> ImapMailbox::make(const FolderPath& path, bool is_shown, const Deadline& deadline) {
  ASSIGN_OR_RETURN(std::vector<Folder> known, folders(deadline));
  const auto find = [&known](const FolderPath& wanted) -> const Folder* {
    const auto found = std::find_if(known.begin(), known.end(), [&](const Folder& each) { return each.path == wanted; });
    return found == known.end() ? nullptr : &*found;
  };
  if (path.empty() || path.size() > folder_depth_max) return Error{ErrorKind::invalid_input, "no path of a folder"};
  for (const std::string& name : path) {
    if (name.empty() || (!separator_.empty() && name.find(separator_) != std::string::npos))
      return Error{ErrorKind::unsupported, "a name that this server cannot give to a folder",
                   "a folder cannot be called so here"};
  }
  const bool has_levels = !separator_.empty();
  if (!has_levels && path.size() > 1) return Error{ErrorKind::unsupported, "the server has no folders in folders"};
  const Folder* there = find(path);
  if (there != nullptr && there->holds_items) return *there;
  const auto create = [&](const FolderPath& wanted) -> Status {
    ASSIGN_OR_RETURN(const std::string name, quoted(id_of_path(wanted)));
    RETURN_IF_ERROR(session_->run("CREATE " + name, ignore, deadline));
    if (is_shown)
      (void)session_->run("SUBSCRIBE " + name, ignore, deadline);  // so that mail programs show it; it is there in any case
    return done();
  };
  // A server makes the levels above by itself (RFC 9051 section 6.3.4); for one that does not they are made one by one.
  Status created = create(path);
  if (!created && created.error().kind != ErrorKind::denied && created.error().kind != ErrorKind::not_found)
    return created.error();
  for (std::size_t depth = 1; !created && depth < path.size(); ++depth) {
    const FolderPath above(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(depth));
    if (find(above) == nullptr) RETURN_IF_ERROR(create(above));
    if (depth + 1 == path.size()) created = create(path);
  }
  RETURN_IF_ERROR(created);
  ASSIGN_OR_RETURN(known, folders(deadline));
  const Folder* made = find(path);
  if (made == nullptr) return contradicts("a folder it made is not there");
  return *made;
}

Result<std::string> ImapMailbox::add(const Folder& folder, const Item& item, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::string name, quoted(folder.id));
  const std::string command = "APPEND " + name + " " + append_options(item.head);
  ASSIGN_OR_RETURN(const imap::Response added, session_->run_with_literal(command, item.content, deadline));
  return ids_of_appended(added, 1).front();
}

Status ImapMailbox::add_all(const Folder& folder, const Additions& additions, const Deadline& deadline) {
  ASSIGN_OR_RETURN(std::string name, quoted(folder.id));
  return ImapAppends(*session_, std::move(name), additions, deadline).run();
}

Status ImapMailbox::set_flags(const Folder& folder, const std::string& id, const std::vector<std::string>& flags,
                              const Deadline& deadline) {
  RETURN_IF_ERROR(stay_in(folder, deadline));
  const std::uint32_t uid = uid_of(id, opened_->uid_validity);
  if (uid == 0) return Error{ErrorKind::not_found, "an item of another state of the folder"};
  RETURN_IF_ERROR(session_->run("UID STORE " + std::to_string(uid) + " FLAGS.SILENT " + flag_list(flags), ignore, deadline));
  return done();
}

}  // namespace mailhold::mailboxes
