// MessageStore: keeps messages, each part once for a tenant, and gives the exact bytes back.
// A message is cut into inline text and body parts; a base64 body is kept decoded when encoding it again gives
// exactly its bytes. Parts are sealed under keys of their own; those keys are wrapped under the tenant's day keys,
// so that forgetting a day is deleting rows.
//
// Any thread; keep() calls take turns, so give it batches. Durability: see keep().
// Design: docs/formats/store.md
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/id.h"
#include "base/result.h"
#include "core/store/store_keys.h"
#include "platform/blobs/blob_store.h"
#include "platform/records/records.h"
#include "platform/segments/segment_writer.h"

namespace mailhold::store {

enum class BodyEncoding { as_is, base64 };

// The body of one MIME leaf part within the message. A wrong span costs space, never exactness.
struct BodySpan {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  BodyEncoding encoding = BodyEncoding::as_is;
};

struct NewMessage {
  Id tenant;
  Id message;
  Milliseconds kept_since = 0;   // its day decides how long it is kept: the time of keeping, so that the day has its key
  std::string_view bytes;        // the final bytes, at most StoreSettings::message_bytes_max
  std::vector<BodySpan> bodies;  // in rising order; empty, overlapping and outlying ones are ignored
  std::string sha256 = {};       // of the bytes, where it was computed already
  bool in_haste = false;         // thorough compression takes half its time, and some percents more space
};

// What is written and read in passing, and what is kept for long: the second takes about five times the processor's time for
// small contents and makes them a quarter smaller. Both read what either wrote.
enum class Compression : std::uint8_t { quick, thorough };

struct StoreSettings {
  std::filesystem::path folder;  // packs and blobs live below it; made if missing
  std::string region;            // stands in every sealing context
  std::uint64_t message_bytes_max = 256U << 20;
  std::uint64_t shared_part_bytes_min = 512;       // smaller bodies stay inline
  std::uint64_t packed_part_bytes_max = 1U << 20;  // larger ones become blobs
  std::uint64_t segment_bytes = 64U << 20;
  Compression compression = Compression::quick;
  bool notes_uses = false;  // which message uses which parts is noted beside: what release() needs
  // Small messages of one batch, tenant and day are written as bundles of so many, at most 64: together they take much less.
  // Bundles live by all their days. 1: none are made; more needs notes_uses. Both kinds are read whatever this says.
  std::uint32_t bundle_messages_max = 1;
};

struct Kept {
  std::uint32_t parts_new = 0;
  std::uint32_t parts_shared = 0;   // found in the tenant's store already
  std::uint64_t bytes_written = 0;  // of a message in a bundle, its own share
};

struct Reclaimed {
  std::uint32_t segments = 0;
  std::uint32_t blobs = 0;
  std::uint64_t names = 0;  // of messages and parts
  std::uint64_t moved = 0;  // objects that were written anew
};

// What stands against giving a message back. Only `damaged` says that something of it is lost.
enum class Soundness : std::uint8_t {
  whole,
  damaged,           // the bytes at its place are its own and do not give it, or what they give is another message
  not_in_records,    // nothing wraps it, or a part of it
  key_missing,       // keyd has no key any more that a wrap of it names
  key_does_not_fit,  // it has one of that name, and another one
  bytes_missing,     // the segment or blob is not there
  not_read_here,     // larger than message_bytes_max, or written by a later version
  bytes_of_another,  // what lies at its place is not known to be its own: the place is wrong, or its seal's beginning damaged
};

struct Inspected {
  Id message;
  Soundness soundness = Soundness::whole;
  std::uint64_t bytes = 0;  // of the message, if it is whole
  std::string sha256 = {};  // of it, raw
  std::string why = {};     // for logs, if it is not
};

class MessageStore {
 public:
  // Makes the schema if needed. The records, blobs and keys must outlive the store.
  static Result<std::unique_ptr<MessageStore>> open(const StoreSettings& settings, records::Records& records,
                                                    blobs::BlobStore& blobs, StoreKeys& keys);
  virtual ~MessageStore() = default;

  // All messages are durable when this returns: one fdatasync of the pack, then one commit of the rows. On an error none of
  // them is kept. A message that is kept already is left as it is, and counts as done: handing a batch in again is harmless.
  // Errors: unavailable (disk, records or keyd away), limit_exceeded, not_found (the day's key was destroyed).
  virtual Result<std::vector<Kept>> keep(const std::vector<NewMessage>& messages, const Deadline& deadline) = 0;

  // Whether a message of that SHA-256 has that id. Any thread.
  using IsOf = std::function<bool(Id message, std::string_view sha256)>;

  // The exact bytes. not_found when it was never kept, or every epoch it was kept under has expired. What is damaged on the disk
  // is read as far as that is possible: of a bundle the messages in front of the damage, and those behind it that `is_of` knows.
  virtual Result<std::string> retrieve(Id tenant, Id message, const Deadline& deadline, const IsOf& is_of = {}) = 0;

  // Reads messages as retrieve() does and tells of each whether it comes back, and else why not, in the order given; with `is_of`
  // one that it does not know is damaged. Those of one bundle cost one reading of it where they follow each other. A part
  // that is damaged is not shared any more: kept again, it is written anew. Ends with the
  // first error of `found`, and with what passes: unavailable, timed_out, cancelled.
  using Found = std::function<Status(const Inspected& one)>;
  virtual Status inspect(Id tenant, const std::vector<Id>& messages, const IsOf& is_of, const Found& found,
                         const Deadline& deadline) = 0;

  // Forgets the wraps of one tenant's epoch. What no other epoch holds can never be read again, whatever copy of the packs
  // exists; its space comes back with collect(). A bundle lives until the last epoch of all its messages goes. Returns how many
  // wraps went.
  virtual Result<std::uint64_t> expire_day(Id tenant, Epoch epoch, const Deadline& deadline) = 0;

  // Forgets one message under every epoch: its text and recipe can never be read again. Body parts it shares with others go
  // with their epochs. Done if there is no such message. What lay in a bundle with it is written anew; errors, with nothing
  // changed: unavailable (keyd or the disk is away), corrupt if the bundle does not open.
  virtual Status forget(Id tenant, Id message, const Deadline& deadline) = 0;

  // Forgets messages under every epoch, and of their parts every wrap that no message of the same epoch needs: what is used by
  // nobody else can never be read again. Messages that are not there are done. All of them or, on an error, none. Only in a
  // store that notes uses. Errors as of forget(), and not_found if no key opens a bundle that has others in it. Returns how many
  // wraps went.
  virtual Result<std::uint64_t> release(Id tenant, const std::vector<Id>& messages, const Deadline& deadline) = 0;

  // As release(), also out of damaged bundles: what can still be read of the others moves to a new one, and what can't be is lost
  // for good, with the old bundle's wraps. `may_lose` hears which messages that is, before anything is changed, and says whether
  // they may be; it is not asked where all can be read. `is_of`: whether a message of that SHA-256 has that id; without it all
  // behind a damaged place is lost. A bundle stays with all that is in it where they may not be lost (denied), and where nothing
  // shows that it is damaged rather than that its bytes or keys are missing (corrupt).
  using MayLose = std::function<Result<bool>(const std::vector<Id>& unreadable)>;
  struct Salvage {
    MayLose may_lose;
    IsOf is_of = {};
  };
  struct Stay {
    Id message;
    Error why;
  };
  struct Salvaged {
    std::vector<Id> lost;
    std::vector<Stay> stay;  // of the messages that were to go
  };
  virtual Result<Salvaged> release_from_damage(Id tenant, const std::vector<Id>& messages, const Salvage& salvage,
                                               const Deadline& deadline) = 0;

  // Wraps a message and all its parts under another epoch too (a hold), so that it outlives its day.
  virtual Status rewrap(Id tenant, Id message, Epoch epoch, const Deadline& deadline) = 0;

  // After the epoch's key was replaced: wraps up to `limit` data keys anew that an older version wraps, in one step, and says how
  // many there were; 0: none is left. Nothing else needs to be kept between two calls. Ask for fresh keys before the first.
  virtual Result<std::uint64_t> rewrap_epoch(Id tenant, Epoch epoch, std::uint32_t limit, const Deadline& deadline) = 0;

  // Deletes pack segments and blobs in which nothing living is left, and moves what still lives out of segments that are
  // nearly empty. Does nothing while a rebuild() or another collect() is at work. corrupt, with nothing deleted, if the records
  // name a segment whose file is gone, as those do that are older than the packs: until the next rebuild().
  virtual Result<Reclaimed> collect(const Deadline& deadline) = 0;

  // Writes the places and names anew from the packs and blobs, one segment after the other; others may read and keep between two.
  // Wraps are not in them: they are the records' alone. Waits for a collect(). Returns how many objects were found. cancelled
  // with the deadline's stop.
  virtual Result<std::uint64_t> rebuild(const Deadline& deadline) = 0;
};

}  // namespace mailhold::store
