// QueueIndex: what of the queue must survive a restart, in the records that the store shares. A message
// that was delivered at once leaves nothing but its place in `finished` until its segment is removed; a row stands for
// each message that has to wait. All of it but the rows can be found again by scanning the spool.
//
// Any thread.
// Design: docs/formats/queue.md
#pragma once

#include <set>
#include <string>
#include <vector>

#include "features/gateway/queue/queue_item.h"
#include "features/held/row_seal.h"
#include "platform/records/records.h"

namespace mailhold::queue {

using segments::Position;

// A row to be written: the item and the route its mail waits for.
struct WaitingItem {
  QueueItem item;
  Id route;
  bool is_waiting = false;  // for its route to be resumed: not due whatever the time
};

struct RowSummary {  // what a row says without being opened
  Id message;
  Id tenant;
  Id route;
  bool is_waiting = false;
  Milliseconds next_attempt = 0;
};

class QueueIndex {
 public:
  static Result<std::unique_ptr<QueueIndex>> open(records::Records& records, std::string region, store::StoreKeys& keys,
                                                  const Deadline& deadline);

  // Parts of the caller's transaction.
  Status write_rows(records::Session& session, std::vector<WaitingItem>& items, Milliseconds now, const Deadline& deadline);
  Status remove_rows(records::Session& session, const std::vector<Id>& messages, const Deadline& deadline);
  Status add_finished(records::Session& session, const std::vector<Position>& places, const Deadline& deadline);
  Status set_position(records::Session& session, const std::string& name, Position position, const Deadline& deadline);
  Status forget_segment(records::Session& session, std::uint64_t segment, const Deadline& deadline);

  // What was noted about segments that are gone.
  Status forget_segments_before(std::uint64_t segment, const Deadline& deadline);
  Result<Position> position(const std::string& name, const Deadline& deadline);  // {0, 0} if never set
  // The places in the segment that are finished or have a row.
  Result<std::set<std::uint64_t>> settled_places(std::uint64_t segment, const Deadline& deadline);

  // Rows that are due, the longest due first. Which of them are at work already is the caller's to know.
  Result<std::vector<RowSummary>> due(Milliseconds now, std::size_t limit, const Deadline& deadline);
  // They are due but cannot start now: others come first.
  Status postpone(const std::vector<Id>& messages, Milliseconds until, const Deadline& deadline);
  Result<QueueItem> load(Id message, const Deadline& deadline);                                  // not_found, or as RowSeal::open
  Result<std::vector<RowSummary>> list(Id tenant, std::size_t limit, const Deadline& deadline);  // tenant none: all
  Result<std::uint64_t> count(const Deadline& deadline);
  Result<std::uint64_t> count_of_day(Id tenant, std::uint32_t day, const Deadline& deadline);  // sealed under that day's key

  // All rows of one route (none: those whose tenant had no route) wait for it, or wait no more and are due now.
  Status set_waiting(Id route, bool is_waiting, Milliseconds now, const Deadline& deadline);
  // Makes rows due: of a tenant, of a message, or of all (both none). How many.
  Result<std::uint64_t> make_due(Id tenant, Id message, Milliseconds now, const Deadline& deadline);

  Status set_paused(Id route, bool is_paused, const Deadline& deadline);
  Result<std::set<Id>> paused_routes(const Deadline& deadline);

 private:
  QueueIndex(records::Records& records, held::RowSeal seal) : records_(records), seal_(std::move(seal)) {}
  records::Records& records_;
  const held::RowSeal seal_;
};

}  // namespace mailhold::queue
