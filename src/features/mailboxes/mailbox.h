// A mailbox at somebody's server, as a source to back up and a target to restore to: folders with items, whatever
// protocol brings them. The drivers are IMAP and DAV (calendars and contacts) today; how Microsoft Graph, EWS and
// full-fidelity streams fit the same interface is shown in docs/decisions/mailboxes.md.
//
// One thread at a time. Every implementation passes mailbox_contract_test.cpp.
// Errors everywhere: unavailable, timed_out (try again later), denied (the server refused: an operator must look),
// corrupt (the server breaks its protocol), limit_exceeded, not_found (the folder is gone).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/id.h"
#include "base/result.h"
#include "features/mailboxes/item_types.h"
#include "features/mailboxes/mailbox_watch.h"
#include "platform/ipc/channel.h"

namespace mailhold::mailboxes {

// Which driver speaks with the server.
enum class MailboxKind : std::uint8_t { imap = 1, dav = 2 };
std::string_view name_of(MailboxKind kind);  // "imap"
std::optional<MailboxKind> parse_kind(std::string_view name);
ItemTypes types_of(MailboxKind kind);  // that such a mailbox can hold

enum class SpecialUse : std::uint8_t { none = 0, inbox, all, archive, drafts, flagged, junk, sent, trash };
std::string_view name_of(SpecialUse use);  // "sent"; empty for none

inline constexpr std::size_t folder_depth_max = 64;
inline constexpr std::size_t folders_max = 50'000;

// Names of folders from the root, in UTF-8.
using FolderPath = std::vector<std::string>;
std::string path_text(const FolderPath& path);                 // "Projects/2026", for people: "/" inside a name is shown as "\/"
FolderPath parse_path(std::string_view text);                  // what path_text wrote
bool is_below(const FolderPath& path, const FolderPath& top);  // or top itself

struct Folder {
  std::string id;  // the source's own, opaque; the same in every listing for as long as the source knows the folder
  FolderPath path;
  SpecialUse use = SpecialUse::none;
  bool holds_items = true;
  friend bool operator==(const Folder&, const Folder&) = default;
};

// What a source says of an item without its content.
struct ItemHead {
  std::string id;  // the source's own, opaque; names one content in this folder for ever. See item_name
  ItemType type = ItemType::mail;
  Milliseconds received_at = 0;           // whole seconds; 0: the source tells none that can be read
  int zone_minutes = 0;                   // in which zone the server wrote it
  std::vector<std::string> flags{};       // sorted; of mail: "\\Seen", "$Forwarded"
  std::vector<std::string> categories{};  // sorted
  std::uint64_t bytes_claimed = 0;        // a hint, and no more: servers are wrong about it
  bool type_is_told = true;               // else it is a guess, of what the folder is for
};

// Some sources give an item a name in its folder, under which its content may change: their ids are NAME '\n' VERSION. A folder
// holds one version of a name, so that a new version ends the one before. The name; empty where the source has none.
std::string_view item_name(std::string_view id);

// In what form the content is. The first is what people and other systems read; a stream keeps what has no place in it.
enum class ContentForm : std::uint8_t { mime = 1, icalendar = 2, vcard = 3, exchange_stream = 4 };

struct Item {
  ItemHead head;
  ContentForm form = ContentForm::mime;
  std::string content;  // exactly as the source gives it
};

// One step of learning what changed in a folder since a mark.
struct Changes {
  std::vector<ItemHead> items;    // new, or with other flags, dates or categories
  std::vector<std::string> gone;  // ids that left the folder; without a version: whatever version was there
  // Given when the source names all that is there rather than what left: at the end of this step every id that is not
  // among them is gone.
  std::optional<std::vector<std::string>> present;
  // How many items the folder holds in all, where the source says so at the last step. Who counts otherwise asks list():
  // sources contradict themselves.
  std::optional<std::uint64_t> count;
  std::string mark;   // where to go on from; opaque, at most mark_bytes_max
  bool more = false;  // call again with `mark` at once
};
inline constexpr std::size_t mark_bytes_max = 64U << 10;

class MailboxSource {
 public:
  virtual ~MailboxSource() = default;

  virtual Result<std::vector<Folder>> folders(const Deadline& deadline) = 0;
  // What a folder can hold, as the last folders() told.
  virtual ItemTypes holds(const Folder&) const { return {ItemType::mail}; }

  // The next step from `mark`; from an empty mark everything is new. A mark the source no longer knows is answered as an
  // empty one would be, with `present` at the last step. At most `limit` items in a step, as far as the protocol can.
  virtual Result<Changes> changes(const Folder& folder, std::string_view mark, std::size_t limit, const Deadline& deadline) = 0;

  // Hands over contents as they come, in any order, each at most once. An item the server does not give (any more)
  // is left out; one that is too large is told to `too_large`. An error of `take` ends it with that error. After denied
  // and unavailable some may have been handed over, and the mailbox may be asked again.
  struct Content {
    std::string id;
    ContentForm form = ContentForm::mime;
    std::string bytes;  // exactly as the source gives them
  };
  struct Sink {
    std::function<Status(Content content)> take;
    std::function<void(const std::string& id, std::uint64_t bytes)> too_large = [](const std::string&, std::uint64_t) {};
  };
  virtual Status fetch(const Folder& folder, const std::vector<std::string>& ids, const Sink& sink, const Deadline& deadline) = 0;

  // Whether there is such a folder, asked for by its name. denied: it may not be looked at, so that nobody knows.
  virtual Result<bool> is_there(const Folder& folder, const Deadline& deadline);

  // How many items the folder holds now, where that is cheap to ask: for telling how long a sync takes.
  virtual Result<std::optional<std::uint64_t>> count(const Folder& folder, const Deadline& deadline);

  // Everything in the folder now, without contents.
  virtual Result<std::vector<ItemHead>> list(const Folder& folder, const Deadline& deadline) = 0;

  // From now on the session does nothing but watch, until the watch is destroyed; what changes after this returned is told.
  // The source is of no use any more, also after an error. unsupported: the source tells nothing by itself.
  virtual Result<std::unique_ptr<MailboxWatch>> watch(const Deadline& deadline);
};

// A session that may write. It can add, mark, and put another content under a name; it never deletes.
class MailboxTarget : public MailboxSource {
 public:
  // Done if it is there. Makes the folders above it too. The answer is how folders() shows it.
  virtual Result<Folder> make_folder(const FolderPath& path, const Deadline& deadline) = 0;

  // Adds the item with its flags, categories and date. The answer is its id, or empty where the server does not tell.
  // denied with the server's words when it refuses this item; other items may still be taken.
  virtual Result<std::string> add(const Folder& folder, const Item& item, const Deadline& deadline) = 0;

  // The same for many, in this order; several may be under way at once. `next` gives the next item, or none after the last;
  // `added` hears of each, in the order given, with what add() would answer. Ends with the first error of either, and with every
  // error of a session but denied: then some that were given may be there although `added` did not hear of them.
  struct Additions {
    std::function<Result<std::optional<Item>>()> next;
    std::function<Status(Result<std::string> id)> added;
  };
  virtual Status add_all(const Folder& folder, const Additions& additions, const Deadline& deadline);

  virtual Status set_flags(const Folder& folder, const std::string& id, const std::vector<std::string>& flags,
                           const Deadline& deadline) = 0;

  // Puts the item in place of the version that `id` names, under that name; where the server has any other version by then
  // nothing changes. The answer is the new id, or empty where the server does not tell. denied with the reason where it has
  // another version, or refuses this item; unsupported where items have no names: their contents never change.
  virtual Result<std::string> replace(const Folder& folder, const std::string& id, const Item& item, const Deadline& deadline);
};

// A folder of our own at somebody's server: made, filled, read and taken away again by one proof.
std::string scratch_name(Id job);  // "Mailhold proof " and 32 hex digits

// A session of purpose backup.prove. What it can take away is a whole scratch folder, and nothing else.
class ScratchTarget : public MailboxTarget {
 public:
  // A scratch folder for items of a folder like that one. Where items have names one folder cannot take those of two, so that
  // each call makes another; else all calls give the same one, at the top, or below INBOX where the server wants all folders
  // there.
  virtual Result<Folder> make_scratch(Id job, const FolderPath& like, const Deadline& deadline) = 0;
  // Takes all of the job's away with what is in them; done if there are none. Nobody's other folder can be named.
  virtual Status remove_scratch(Id job, const Deadline& deadline) = 0;
};

// How a driver gets its session: signed in already, nothing secret on it. brokerd's client in programs; in tests a socket.
class SessionSource {
 public:
  virtual ~SessionSource() = default;
  // `purpose`: "backup.read", "restore.write" or "backup.prove". Errors as MailboxSource.
  virtual Result<ipc::OwnedFd> open(Id tenant, Id connection, std::string_view purpose, const Deadline& deadline) = 0;
  // The same for HTTP: requests without Authorization go in, answers come out, until either side closes.
  virtual Result<ipc::OwnedFd> open_http(Id, Id, std::string_view, const Deadline&) {
    return Error{ErrorKind::unsupported, "no sessions over HTTP"};
  }
};

}  // namespace mailhold::mailboxes
