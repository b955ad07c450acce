// Receipt: proof that an entry is durable in the ledger. keyd opens a secret only for one.
//
// Design: docs/formats/ledger.md, "Receipts"
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "core/evidence/clear_text.h"
#include "core/evidence/entry.h"
#include "formats/tlog/merkle.h"
#include "formats/tlog/note.h"

namespace mailhold::ledger {

inline constexpr Milliseconds receipt_life = 30'000;
inline constexpr Milliseconds receipt_clock_skew_max = 5'000;  // between the clocks of two of our hosts

struct Receipt {
  std::string origin;
  std::uint64_t size = 0;
  Hash root;
  std::uint64_t index = 0;
  tlog::Proof proof;
  std::string entry;  // as it lies in the log
  Milliseconds time = 0;
  Milliseconds expires = 0;
  std::string signature;
  std::string clear_text;  // added by the LedgerClient; empty before

  Hash leaf() const { return tlog::hash_leaf(entry); }  // names the one use it stands for
  std::string signed_bytes() const;
  std::string encode() const;
  static Result<Receipt> parse(std::string_view bytes);  // corrupt; says nothing about the signature
};

// What the receipt must be for. Every expected field must be there and equal; the entry may say more.
using Expected = Entry;

// The entry it proves. denied, with what differs, if: another log or key, bad signature, expired or from the
// future, entry not in the signed tree, clear text not the one of the entry, or any expectation not met.
// That a receipt is used once only is for the caller to see to, by leaf().
Result<Entry> verify_receipt(const Receipt& receipt, const tlog::NoteKey& log_key, const Expected& expected, Milliseconds now);

// The signatures under the last batches that were found to be right. All receipts of a batch carry the same one, and checking it
// takes several times what the rest of a receipt does. One is known again only with exactly the key and the bytes, times
// included, that it was checked with; of one that does not hold nothing is kept. Any thread.
class BatchSignatures {
 public:
  static constexpr std::size_t known_max = 64;
  bool hold(std::string_view public_key, std::string_view bytes, std::string_view signature);
  std::uint64_t checks() const;  // how many were not known and had to be checked

 private:
  struct Known {
    std::string signature, bytes, public_key;
  };
  mutable std::mutex mutex_;
  std::deque<Known> known_;  // guarded by mutex_, as is the next; the newest first
  std::uint64_t checks_ = 0;
};

// As above, for whoever sees many receipts.
Result<Entry> verify_receipt(const Receipt& receipt, const tlog::NoteKey& log_key, const Expected& expected, Milliseconds now,
                             BatchSignatures& signatures);

}  // namespace mailhold::ledger
