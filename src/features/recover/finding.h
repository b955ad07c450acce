// Finding: items of backed-up mailboxes by words, as of a moment. What the index finds is looked up in the book, so that an
// item that was not there at that moment, or is of a mailbox that is gone, is never shown. That somebody asks stands in the
// ledger before the index is asked (backup.searched); what was asked does not. Any thread.
//
// The verb backup.find, and restores by a query: docs/guide/backup.md.
#pragma once

#include <set>
#include <string>

#include "features/recover/indexing.h"
#include "features/recover/retention.h"
#include "features/search/query.h"

namespace mailhold::recover {

inline constexpr std::uint32_t found_max = 10'000;

struct FoundItem {
  Id mailbox;
  mailboxes::FolderPath folder;
  ItemRow item;
  Milliseconds date = 0;  // when mail was received; of events, tasks and contacts their own date (scanning/item_text.h), 0: none
};

struct FoundItems {
  std::vector<FoundItem> items;  // the newest first, those without a date last
  bool more = false;             // there are further ones
  bool complete = true;          // everything that was backed up has been looked at: nothing waits to be indexed
};

class Finding {
 public:
  Finding(BackupBook& book, search::SearchClient& search, Indexing& indexing, BackupRules& rules)
      : book_(book), search_(search), indexing_(indexing), rules_(rules) {}

  // In these mailboxes, which are one tenant's. `moment` 0: of each, its last sync. invalid_input: says where in the query.
  // Without the ledger nothing is looked for. What has no date is neither after nor before any.
  Result<FoundItems> find(const std::vector<Mailbox>& mailboxes, std::string_view query, Milliseconds moment, std::uint32_t limit,
                          const Deadline& deadline);

  // {"verb":"backup.find", "mailbox" or "tenant", "query", "at", "limit"}: JSON in, JSON out, without any content.
  Result<std::string> answer(std::string_view json, const Deadline& deadline);
  // What a restore by a query puts back; `moment` as above. unavailable: something waits to be indexed; invalid_input: more than
  // found_max; not_found: nothing.
  Result<std::vector<Id>> items_of(const Mailbox& mailbox, std::string_view query, Milliseconds moment, const Deadline& deadline);

 private:
  struct View {
    Mailbox mailbox;
    Milliseconds moment = 0;
    std::map<Id, mailboxes::FolderPath> folders;
  };
  Status look_up(const View& view, const search::Hit& hit, const search::ParsedQuery& query, std::set<Id>& known,
                 FoundItems& found, const Deadline& deadline);

  BackupBook& book_;
  search::SearchClient& search_;
  Indexing& indexing_;
  BackupRules& rules_;
};

}  // namespace mailhold::recover
