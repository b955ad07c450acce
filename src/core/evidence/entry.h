// Entries as they lie in the log: an envelope in clear, a payload sealed for the tenant.
//
// Design: docs/formats/ledger.md, "Entries"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "formats/tlog/merkle.h"

namespace mailhold::ledger {

using tlog::Hash;

inline constexpr std::size_t payload_bytes_max = 32 * 1024;

// The sealed part, as the appending process makes it.
struct Payload {
  std::uint32_t key_version = 0;  // of the tenant's ledger key
  std::uint32_t hour = 0;
  Id hour_key_id;
  std::string box;         // the hour key, boxed to the tenant
  std::string ciphertext;  // the clear text, under the hour key
};

struct Event {
  Id tenant;
  Id connection;  // may be none
  Milliseconds at = 0;
  std::uint64_t seq = 0;  // of the tenant, from 1
  Hash previous;
  std::uint64_t connection_seq = 0;
  Hash connection_previous;
  Hash commitment;
  std::string payload;  // encoded Payload
};

struct Heads {
  Milliseconds at = 0;
  std::uint64_t count = 0;
  Hash root;
};

using LogEntry = std::variant<Event, Heads>;

std::string encode(const Payload& payload);
Result<Payload> parse_payload(std::string_view bytes);  // corrupt
std::string encode(const Event& event);
std::string encode(const Heads& heads);
Result<LogEntry> parse_log_entry(std::string_view bytes);  // corrupt
Result<Event> parse_event(std::string_view bytes);         // corrupt; also for heads

// The newest entry of a tenant, a leaf of the heads tree.
struct Head {
  std::uint64_t seq = 0;
  Hash leaf;
};
Hash leaf_of_head(Id tenant, const Head& head);

}  // namespace mailhold::ledger
