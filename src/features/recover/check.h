// Check: reads every content that a version of a mailbox names, puts it together and compares it with what the version's row
// names, so that damage is known before something of it is wanted. Each content is read once, however many versions name it. What
// is damaged is noted as lost, so that it is named until it can be read again; what was noted and can be read is named no more.
// What cannot be judged now, because its key or its bytes are missing, is no damage, and is told apart. Nothing else is changed.
//
// One use, one thread; at most one content and five hundred rows in memory.
// Design: docs/flows/backup.md, "Check"
#pragma once

#include <functional>

#include "core/store/message_store.h"
#include "features/recover/backup_book.h"

namespace mailhold::recover {

struct CheckRequest {
  Id tenant = {};            // none: all
  Id mailbox = {};           // none: all of the tenant
  bool sets_places = false;  // first, the places and names of all contents are written anew from the packs and blobs
};

enum class Verdict : std::uint8_t {
  damaged,   // the content cannot be read any more
  unjudged,  // nothing shows whether it is damaged
  row,       // the row of a version, or of a folder, does not open
};
std::string_view name_of(Verdict verdict);  // "not judged"

// Of one item, or of a folder's row. `what` says why and what to do; for people, without content.
struct CheckFinding {
  Verdict verdict = Verdict::damaged;
  Id mailbox, item;
  mailboxes::FolderPath folder;
  Milliseconds received_at = 0;  // 0: not known
  std::string what;
};
inline constexpr std::size_t check_findings_max = 1'000;

struct CheckReport {
  CheckRequest request;
  bool is_over = false;
  std::string failure;  // why it came to no end; empty: it did
  Milliseconds started_at = 0, ended_at = 0;
  std::uint64_t versions_expected = 0;
  std::uint64_t versions = 0;  // rows that were looked at
  std::uint64_t contents = 0;  // that were looked at
  std::uint64_t bytes = 0;     // of those that are whole
  std::uint64_t damaged = 0;   // contents
  std::uint64_t unjudged = 0;  // contents
  std::uint64_t rows = 0;      // that do not open
  // Mailboxes that the keys of their tenant are gone of: with the tenant, or because the keystore is another one. They count as
  // unjudged too where they or their tenant were asked for, and where no mailbox has its keys.
  std::uint64_t without_keys = 0;
  std::uint64_t readable_again = 0;         // contents that had been noted as lost
  std::optional<std::uint64_t> places_set;  // how many objects were found in packs and blobs
  std::vector<CheckFinding> findings;       // the first of them, at most check_findings_max

  bool is_clean() const { return is_over && failure.empty() && damaged == 0 && unjudged == 0 && rows == 0; }
};

class Check {
 public:
  struct Parts {  // all outlive it
    BackupBook& book;
    store::MessageStore& store;
    store::StoreKeys& keys;
    const Clock& clock;
  };
  // `progress` hears of the report now and then.
  Check(const Parts& parts, CheckRequest request, std::function<void(const CheckReport&)> progress);

  // Errors say why it came to no end: what passes by itself, cancelled, not_found for a mailbox that is not there. What was found
  // until then stands.
  Status run(const Deadline& deadline);
  const CheckReport& report() const { return report_; }

 private:
  Status choose(const Deadline& deadline);
  Status look_at_folders(const Deadline& deadline);
  Status look_at_versions(const BackupBook::CheckScope& scope, const BackupBook::FolderToCheck& folder, const Deadline& deadline);
  using Versions = std::vector<BackupBook::VersionToCheck>;
  Status look_at_contents(const BackupBook::CheckScope& scope, const Versions& versions, const Deadline& deadline);
  Status judge(Id tenant, const BackupBook::VersionToCheck& version, store::Inspected one, const Deadline& deadline);
  void note_rows(const BackupBook::FolderToCheck& folder, const Versions& versions);
  Status find(Verdict verdict, Id tenant, Id content, const std::string& what, const Deadline& deadline);
  void add(CheckFinding finding);
  mailboxes::FolderPath path_of(Id mailbox, Id folder, const Deadline& deadline);

  const Parts parts_;
  const std::function<void(const CheckReport&)> progress_;
  CheckReport report_;
  std::vector<Mailbox> mailboxes_;                 // whose rows open
  std::vector<BackupBook::CheckScope> scopes_;     // the mailbox, or the tenants
  std::shared_ptr<const ContentIds> content_ids_;  // of the tenant that is looked at
  Id paths_of_;                                    // a mailbox
  std::map<Id, mailboxes::FolderPath> paths_;
};

}  // namespace mailhold::recover
