// A restore: items of a backed-up mailbox as of a moment are put back where they are missing, and then read back from the
// server and compared with what was backed up, item by item: byte for byte, and where a server writes events and contacts anew,
// by what they mean. It never deletes. It changes a content that is there only where it is to overwrite, and only one that is in
// the backup itself. Running the same restore again does only what is still missing.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <set>

#include "core/store/message_store.h"
#include "features/mailboxes/mailbox.h"
#include "features/recover/backup_book.h"
#include "features/recover/meaning_comparer.h"
#include "features/recover/pauses.h"

namespace mailhold::recover {

struct RestoreRequest {
  Id mailbox = {};
  Milliseconds as_of = 0;
  mailboxes::FolderPath from = {};  // this folder and what is below it; empty: all
  Id item = {};                     // only this one; none: all
  std::vector<Id> items = {};       // only these; none: all
  mailboxes::FolderPath to = {};    // put below this folder; empty: where they were
  bool overwrites = false;          // flags of items that are there already, and contents under their names
  bool dry_run = false;
  Id into = {};             // another mailbox that they are put into; none: the one they came from
  std::string permit = {};  // that allows it (restore_permits.h), as hex; empty in reports of before there were permits for all
  // Of another mailbox: without `to`, everything goes below a folder of this name; what is a calendar or an address book gets a
  // title that begins so.
  std::string place = {};
};

// What that folder is called: "Restored from ann@example_test". It has nothing that separates folders at some server, or means
// anything in a pattern.
std::string place_of(const Mailbox& mailbox);

enum class Outcome : std::uint8_t {
  present = 1,      // it was there already
  restored = 2,     // put back, and read back equal
  would = 3,        // dry run: it is missing
  flags_set = 4,    // it was there, and has its flags of that moment again
  differs = 5,      // what the server gives back is not what was backed up; `detail` says in what
  failed = 6,       // the server refused it, the backup does not open, or what is there is not in the backup; `detail`
  overwritten = 7,  // another content was there under its name, and this one is there now; in a dry run: would be
};
std::string_view name_of(Outcome outcome);

inline constexpr std::string_view not_there = "it is not there";  // what differs of an item that was not found again

struct RestoredItem {
  Id item;
  mailboxes::FolderPath folder;  // where it is now
  std::string target_id;         // at the server; empty if it is not known
  Outcome outcome = Outcome::failed;
  // For people, without content: of differs and failed why, of overwritten in what it differed (where that is known), of others
  // equal_in_meaning or nothing.
  std::string detail;
  bool is_read_back = false;  // in the reading back that goes on: that says nothing more of it
  // As it was backed up; both 0 in reports of before these were told.
  Milliseconds received_at = 0;
  std::uint64_t bytes = 0;
  // Of flags_set, without \Deleted: what the server had, and what was backed up.
  std::vector<std::string> flags_before{}, flags_after{};
};

// A restore whose server wants to be left alone waits, and goes on by itself.
struct Waiting {
  Milliseconds until = 0;  // 0: it does not wait now
  Milliseconds since = 0;  // of tries that brought nothing: when the first one ended; 0: there was none
  std::string whom;        // for people: whose server
  std::string why;         // with the server's own words
};

struct RestoreReport {
  RestoreRequest request;
  bool is_over = false;
  std::string failure;  // why it came to no end; empty: it did
  Milliseconds started_at = 0;
  Milliseconds verified_at = 0;  // the last reading back; 0: none
  std::vector<RestoredItem> items;
  Waiting waiting;
  bool only_verifies = false;  // while it is not over: nothing is written
  std::string before;          // while it only verifies: the report as it was, by write_report
  std::string not_read_back;   // why the last verify() came to no end, after which all else is as it was before; empty: it did

  std::uint64_t count(Outcome outcome) const;
  std::uint64_t count_equal_in_meaning() const;
  bool is_exact() const;  // over, and nothing differs or failed
};
std::string write_report(const RestoreReport& report);
Result<RestoreReport> parse_report(std::string_view bytes);  // corrupt

// Folders are worked on side by side, each over one session and in the order its items had. Where there is much to put back,
// another session reads meanwhile what the server has taken.
inline constexpr std::size_t restore_sessions_max = 3;

// So many are done before it is said of a folder on which the work goes on.
inline constexpr std::size_t restored_items_at_once = 100;

struct ReadContents;
class TryEnd;
// What the tries of one restore know of each other, beside the report.
struct RestoreMemory {
  using Folders = std::map<Id, std::shared_ptr<ReadContents>>;  // by the folder that was backed up
  Folders compared;                                             // what was there before
  Folders read_back;                                            // of the reading back that goes on, and nothing else
  // By folder: items that the server was given, or was to be given next, when a try ended, and did not answer; and what they are
  // if it has taken them.
  std::map<Id, std::map<Id, Outcome>> under_way;
  std::atomic<std::uint64_t> got_on = 0;  // rises with every content that the server gave or took for the first time
};

class Restore {
 public:
  struct Parts {  // all outlive it
    BackupBook& book;
    store::MessageStore& store;
    // A session of its own for each call, so that what is read back comes from the server and not from a session's memory.
    // Never called by two threads at once.
    std::function<Result<std::unique_ptr<mailboxes::MailboxTarget>>(const Deadline& deadline)> open_target;
    MeaningComparer* meaning = nullptr;  // none: other bytes are another content
    std::shared_ptr<RestoreMemory> memory = std::make_shared<RestoreMemory>();
    const WantedRest* rest = nullptr;   // what the sessions of open_target hear
    std::size_t read_back_items = 100;  // of a folder: so many are read back at once while others are on their way
  };
  explicit Restore(Parts parts) : parts_(std::move(parts)) {}

  // Fills report.items from report.request; open_target is of the mailbox that is written to. An error says why it came to no
  // end; the report holds what was done by then, and given again it goes on there: what is in it is not asked for again, but to
  // be read back once. `progress` comes with every hundred items of
  // a folder and at its end, from one thread at a time.
  Status run(RestoreReport& report, const std::function<void()>& progress, const Deadline& deadline);

  // Reads everything of a finished restore back again, and writes what it finds into the outcomes. Goes on as run() does.
  Status verify(RestoreReport& report, const Deadline& deadline);

 private:
  using Work = std::function<Status(std::size_t index, mailboxes::MailboxTarget& target, const Deadline& deadline)>;
  void side_by_side(const std::vector<std::size_t>& order, std::unique_ptr<mailboxes::MailboxTarget> first, const Work& work,
                    TryEnd& end);
  bool server_wants_rest() const { return parts_.rest != nullptr && parts_.rest->get().count() > 0; }
  Result<std::unique_ptr<mailboxes::MailboxTarget>> open(const Deadline& deadline);

  Parts parts_;
  std::mutex opening_;
};

}  // namespace mailhold::recover
