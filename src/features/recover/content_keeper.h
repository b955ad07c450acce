// ContentKeeper: puts contents of items into the store, each content once for a tenant. The id of a content is a keyed hash
// of it, so that the same message in two folders, or fetched again after a crash, is one object; what is
// there already gets a wrap under today as well, so that it lives as long as its newest use.
//
// Contents are not parsed: bodies are found by their lines alone (base64 or not). Any thread, but for rows_are_written().
#pragma once

#include <mutex>
#include <set>

#include "core/store/message_store.h"
#include "features/mailboxes/mailbox.h"
#include "features/recover/backup_book.h"
#include "features/recover/content_claims.h"
#include "features/recover/content_ids.h"

namespace mailhold::recover {

class ContentKeeper {
 public:
  ContentKeeper(store::MessageStore& store, store::StoreKeys& keys, BackupBook& book, Id tenant, Milliseconds now)
      : store_(store), keys_(keys), book_(book), claims_(book.claims()), tenant_(tenant), now_(now) {}

  struct KeptContent {
    Id message;
    std::uint64_t bytes = 0;
    bool is_kept = true;
  };
  // All of them are durable, and wrapped under the day of `now`, when this returns, but those that are not kept. In the order
  // given. Nobody releases them until rows_are_written(). What was kept before and is damaged, or noted as lost and still is, is
  // kept anew; it is not kept where it can't be, because of what lies beside it, or does not open for another reason.
  Result<std::vector<KeptContent>> keep(const std::vector<mailboxes::MailboxSource::Content>& contents, const Deadline& deadline,
                                        bool in_haste = false);  // store::NewMessage::in_haste

  // Rows name what was kept so far; nothing is being kept now.
  void rows_are_written() { claims_.clear(); }

  std::uint32_t day() const { return day_of(now_); }

 private:
  Result<std::shared_ptr<const ContentIds>> content_ids(const Deadline& deadline);
  bool is_wrapped(Id message);
  void note_wrapped(Id message);
  // Those that are not kept, of this and the others.
  Result<std::set<Id>> keep_new(const std::vector<store::NewMessage>& messages, const Deadline& deadline);
  Result<bool> wrap_again(const store::NewMessage& message, const Deadline& deadline);
  Result<bool> is_damaged(Id message, const Deadline& deadline);
  Result<std::set<Id>> keep_instead_of_damaged(const std::vector<store::NewMessage>& damaged, const Deadline& deadline);

  store::MessageStore& store_;
  store::StoreKeys& keys_;
  BackupBook& book_;
  ContentClaims::Owner claims_;
  const Id tenant_;
  const Milliseconds now_;
  std::mutex mutex_;
  std::shared_ptr<const ContentIds> ids_;  // guarded by mutex_, as below
  std::set<Id> wrapped_;                   // under today, as far as this object saw
};

// Where bodies lie in a message, without parsing it: runs of base64 lines, and the text between them behind the header.
// Wrong guesses cost space, never exactness.
std::vector<store::BodySpan> bodies_by_lines(std::string_view message);

}  // namespace mailhold::recover
