// Story: what happened to each message, told to the trace log as events and read back from it. A search looks
// through all events of the tenant, newest first: no address or word has an index on disk.
//
// Design: docs/formats/queue.md, "Events"
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/store/trace_log.h"
#include "features/gateway/envelope.h"
#include "features/gateway/queue/queue_item.h"

namespace mailhold::queue {

// One event as it is shown: its kind ("accepted", "held", "stored", "attempt", "delivered", "deferred", "bounced", "expired",
// "released", "deleted", "notice") and its fields in order.
struct Event {
  Id message;
  Milliseconds time = 0;
  std::string kind;
  std::vector<std::pair<std::string, std::string>> fields;
  friend bool operator==(const Event&, const Event&) = default;
  const std::string* field(std::string_view name) const;
};

store::TraceEvent accepted_event(const gateway::AcceptedMessage& message);  // who, what, every reason and the verdict
store::TraceEvent simple_event(const QueueItem& item, Milliseconds time, std::string kind, std::string why = {});
// One for each attempt: the recipients it was for, who answered what, and what it means.
store::TraceEvent attempt_event(const QueueItem& item, const Recipient& recipient);

Event read_event(const store::TraceView& view);

// What to look for; empty fields match all. Addresses are compared whole or as "@domain", words must all stand in the subject;
// case does not matter.
struct Search {
  Id tenant;
  std::string to{}, from{}, words{};
  Milliseconds since = 0;
  Milliseconds until = 0;  // 0: now
  std::size_t limit = 50;  // 1..1,000
};
bool matches(const Search& search, const Event& accepted);

// Accepted events that match, newest first.
Result<std::vector<Event>> find_messages(store::TraceLog& log, const Search& search, const Deadline& deadline);
// All events of one message, oldest first, each once. not_found when there is none.
Result<std::vector<Event>> trace_message(store::TraceLog& log, Id tenant, Id message, const Deadline& deadline);

}  // namespace mailhold::queue
