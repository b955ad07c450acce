// HeldItems: the messages that policy keeps back until an administrator decides: why, who, what. The
// message itself lies in the store, so an item outlives the spool and any restart. An item leaves
// by take() alone, inside the transaction that puts it back into the queue or forgets it: so it is released
// exactly once.
//
// Any thread. Rows are sealed for their tenant.
// Design: docs/formats/queue.md
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "features/held/row_seal.h"
#include "platform/records/records.h"

namespace mailhold::held {

struct Why {
  std::string code;  // "virus", "dmarc_reject"
  std::string text;
  friend bool operator==(const Why&, const Why&) = default;
};

struct HeldItem {
  Id message;
  Id tenant;
  Milliseconds accepted_at = 0;
  Milliseconds held_at = 0;
  std::string held_for;  // code of the reason that decided
  std::vector<Why> reasons;
  std::string mail_from;
  std::vector<std::string> rcpt_to;
  std::string client_ip, header_from, subject;
  std::uint64_t size = 0;
  friend bool operator==(const HeldItem&, const HeldItem&) = default;
};

class HeldItems {
 public:
  // Makes the table if needed. Records and keys must outlive the object.
  static Result<std::unique_ptr<HeldItems>> open(records::Records& records, std::string region, store::StoreKeys& keys,
                                                 const Deadline& deadline);

  // Part of the caller's transaction. Adding an item that is there already changes nothing.
  Status add(records::Session& session, const HeldItem& item, const Deadline& deadline);
  // Takes it out. not_found: never held, or another one was first.
  Result<HeldItem> take(records::Session& session, Id message, const Deadline& deadline);

  // Newest first; `tenant` none: of all tenants. Rows that do not open are left out and logged. limit 1..1,000.
  Result<std::vector<HeldItem>> list(Id tenant, std::size_t limit, const Deadline& deadline);
  Result<HeldItem> find(Id message, const Deadline& deadline);
  // Held since before that time; at most `limit`.
  Result<std::vector<Id>> held_before(Milliseconds time, std::size_t limit, const Deadline& deadline);
  Result<std::uint64_t> count(const Deadline& deadline);
  Result<std::uint64_t> count_of_day(Id tenant, std::uint32_t day, const Deadline& deadline);  // sealed under that day's key

 private:
  HeldItems(records::Records& records, RowSeal seal) : records_(records), seal_(std::move(seal)) {}
  Result<HeldItem> read(const records::Values& row, const Deadline& deadline) const;
  records::Records& records_;
  const RowSeal seal_;
};

std::string write_held(const HeldItem& item);              // the sealed part of the row
Status read_held(std::string_view bytes, HeldItem& item);  // corrupt unless whole

}  // namespace mailhold::held
