// QueueItem: one message on its way out: its envelope and what has become of each recipient.
// Kept sealed under the tenant's day key in the row of the queue; the message itself lies in the spool or the store.
//
// Bytes: docs/formats/queue.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "platform/segments/location.h"

namespace mailhold::queue {

enum class RecipientState : std::uint8_t {
  queued = 1,     // not tried yet
  delivered = 2,  // the next hop took responsibility
  deferred = 3,   // tried, will be tried again
  bounced = 4,    // refused for good; the sender is told
  expired = 5,    // its life is over; the sender is told
  held = 6,       // kept for an administrator's decision
  deleted = 7,    // by an administrator; nobody is told
};
std::string_view name_of(RecipientState state);  // "queued"
inline bool is_open(RecipientState state) { return state == RecipientState::queued || state == RecipientState::deferred; }

struct Recipient {
  std::string address{};
  RecipientState state = RecipientState::queued;
  std::string status{};      // enhanced status of the last reply: "4.4.1"
  std::string diagnostic{};  // the last reply: "451 4.4.1 no answer"; at most 500 bytes
  std::string remote{};      // who said it: "mx.b.example[192.0.2.1]:25"; empty: we did
  Milliseconds last_attempt = 0;
  bool is_reported = false;  // the sender was told of its end
  friend bool operator==(const Recipient&, const Recipient&) = default;
};

struct QueueItem {
  Id message;
  Id tenant;
  Milliseconds accepted_at = 0;
  Milliseconds queued_at = 0;         // its life counts from here: acceptance, or release
  segments::Location where;           // in the spool; segment 0: not there, only in the store
  std::string mail_from;              // empty: the null sender
  std::vector<Recipient> recipients;  // 1..1,000
  std::uint32_t attempts = 0;
  Milliseconds next_attempt = 0;
  bool is_delay_told = false;    // the sender got a delay notice
  bool is_notice = false;        // a notice of ours: nobody is ever told about it
  std::uint32_t sealed_day = 0;  // whose key seals its row: the day of the first writing; 0: no row yet
  std::uint64_t revision = 0;    // how often its row was written; part of the seal

  bool is_in_spool() const { return where.segment != 0; }
  bool is_finished() const;  // no recipient is open
};

// The sealed part of the row: all but message, tenant, place and revision, which stand in columns of their own.
std::string write_item(const QueueItem& item);
Status read_item(std::string_view bytes, QueueItem& item);  // corrupt unless whole

}  // namespace mailhold::queue
