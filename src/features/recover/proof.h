// The proof that a backup can be restored (P27): some items of a mailbox as of its last sync are put into scratch folders at its
// server, read back over another session, and compared by content, date and flags with what was backed up, events and contacts
// that the server writes anew by what they mean; then the folders are taken away. Nothing else of the mailbox is touched: the
// session can do nothing else.
//
// What the server must be rid of is written down before it is made, so that whoever comes after a kill -9 takes it away.
// Flow: docs/flows/proof.md
#pragma once

#include <functional>

#include "core/store/message_store.h"
#include "features/mailboxes/mailbox.h"
#include "features/recover/backup_book.h"
#include "features/recover/meaning_comparer.h"

namespace mailhold::recover {

inline constexpr std::size_t proof_items_default = 20;
inline constexpr std::size_t proof_items_max = 1'000;

enum class ProofOutcome : std::uint8_t {
  none = 0,    // none came to its end yet
  passed = 1,  // everything came back as it was
  failed = 2,  // something did not
};

struct ProofDifference {
  Id item;
  std::string what;  // for people, without content
};

// A proof whose server wants to be left alone for now, and that is tried again.
struct PutOff {
  Milliseconds until = 0;  // 0: none is
  Milliseconds begun = 0;  // its first try
  std::uint32_t items = 0;
};

// What is known of the proofs of one mailbox: of the last one, and what an unfinished one may have left at the server.
struct ProofRecord {
  Id mailbox;
  Id tenant;
  Id job;      // the last that was begun
  Id scratch;  // of folders that may be there still; none: nothing is
  bool is_over = true;
  Milliseconds started_at = 0;
  Milliseconds proved_at = 0;  // the end of the last one that passed or failed; `outcome` and what follows are its own
  Milliseconds as_of = 0;
  ProofOutcome outcome = ProofOutcome::none;
  std::uint64_t items = 0;  // that were put there and read back
  std::uint64_t bytes = 0;
  std::vector<ProofDifference> differences;  // at most 100 of them
  std::uint64_t differing = 0;
  std::string trouble;  // why the last one came to no end; empty: it did
  PutOff put_off;
};
std::string write_proof(const ProofRecord& record);
Status read_proof(std::string_view bytes, ProofRecord& record);  // corrupt

struct ChosenItem {
  ItemRow item;
  mailboxes::FolderPath folder;
};

// The items to prove: the newest and the oldest, one of each kind of folder, and others by chance, `count` in all if there are
// so many; more where there are more kinds of folders. Of calendars and address books one of each, if `count` are enough.
Result<std::vector<ChosenItem>> choose_for_proof(BackupBook& book, const Mailbox& mailbox, std::size_t count,
                                                 const Deadline& deadline);

class Proof {
 public:
  struct Parts {  // all outlive it
    BackupBook& book;
    store::MessageStore& store;
    // A session of its own for each call, of purpose backup.prove.
    std::function<Result<std::unique_ptr<mailboxes::ScratchTarget>>(const Deadline& deadline)> open_target;
    const Clock& clock;
    MeaningComparer* meaning = nullptr;  // as Restore::Parts
  };
  explicit Proof(Parts parts) : parts_(std::move(parts)) {}

  // Takes away what an earlier one left, then proves. An error says why it came to no end: no session, or the server refused the
  // scratch folder. What was found stands in the record, which is durable. After what is temporary nothing more is asked of the
  // server: the next one cleans up.
  Status run(const Mailbox& mailbox, std::size_t count, ProofRecord& record, const Deadline& deadline);
  // Only what an earlier one left.
  Status clean_up(ProofRecord& record, const Deadline& deadline);

 private:
  struct Added {
    ItemRow item;  // under the name it has there
    std::string target_id;
  };
  using AddedTo = std::map<mailboxes::FolderPath, std::vector<Added>>;  // by scratch folder
  Result<AddedTo> add_all(std::unique_ptr<mailboxes::ScratchTarget> target, std::vector<ChosenItem> items, ProofRecord& record,
                          const Deadline& deadline);
  Status add(mailboxes::ScratchTarget& target, const mailboxes::Folder& scratch, ItemRow item, std::vector<Added>& added,
             ProofRecord& record, const Deadline& deadline);
  Status compare_all(const AddedTo& added, ProofRecord& record, const Deadline& deadline);

  const Parts parts_;
};

}  // namespace mailhold::recover
