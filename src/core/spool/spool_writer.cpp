#include "core/spool/spool_writer.h"

#include <utility>

#include "base/bytes.h"
#include "base/secret_text.h"
#include "core/spool/spool_format.h"
#include "formats/sealed/box.h"
#include "formats/sealed/sealed.h"

namespace mailhold::spool {

struct SpoolWriter::HourKey {
  Id id;
  SecretText key;
  std::shared_ptr<const segments::Preamble> record;
};

namespace {

constexpr std::uint64_t overhead_bytes_max = 1024;  // what a record has besides head and body, generously

}  // namespace

Result<std::unique_ptr<SpoolWriter>> SpoolWriter::open(const segments::SegmentSettings& settings, std::string region,
                                                       PublicKeyLookup public_key) {
  ASSIGN_OR_RETURN(std::unique_ptr<segments::SegmentWriter> writer, segments::SegmentWriter::open(settings));
  return std::unique_ptr<SpoolWriter>(
      new SpoolWriter(std::move(writer), settings.record_bytes_max, std::move(region), std::move(public_key)));
}

SpoolWriter::SpoolWriter(std::unique_ptr<segments::SegmentWriter> writer, std::uint64_t record_bytes_max, std::string region,
                         PublicKeyLookup public_key)
    : item_bytes_max_(record_bytes_max - std::min(record_bytes_max, overhead_bytes_max + record_bytes_max / 512)),
      writer_(std::move(writer)),
      region_(std::move(region)),
      public_key_(std::move(public_key)) {}

SpoolWriter::~SpoolWriter() = default;

Result<segments::NewRecord> SpoolWriter::seal(const SpoolItem& item) {
  if (item.head.size() + item.body.size() > item_bytes_max_) {
    return Error{ErrorKind::limit_exceeded, "message " + item.message.text() + " is too large for the spool"};
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<const HourKey> key, hour_key(item.tenant, item.accepted_at));
  const ItemRecord record{item.message, item.tenant, item.accepted_at, key->id, {}};
  std::string plaintext;
  plaintext.reserve(4 + item.head.size() + item.body.size());
  plaintext += ByteWriter().u32(static_cast<std::uint32_t>(item.head.size())).view();
  plaintext += item.head;
  plaintext += item.body;
  std::string row = sealed::seal(key->key.reveal(), item_context(region_, record), plaintext);
  return segments::NewRecord{type_item, encode_without_row(record), std::move(row), key->record};
}

Status SpoolWriter::append(const SpoolItem& item, std::function<void(Result<Location>)> callback) {
  ASSIGN_OR_RETURN(segments::NewRecord record, seal(item));
  return writer_->append(std::move(record), std::move(callback));
}

Result<Location> SpoolWriter::append_and_wait(const SpoolItem& item, const Deadline& deadline) {
  ASSIGN_OR_RETURN(segments::NewRecord record, seal(item));
  std::vector<segments::NewRecord> records;
  records.push_back(std::move(record));
  ASSIGN_OR_RETURN(const std::vector<Location> locations, writer_->append_and_wait(std::move(records), deadline));
  return locations.front();
}

Position SpoolWriter::watermark() const { return writer_->watermark(); }
segments::SegmentWriter::Counts SpoolWriter::counts() const { return writer_->counts(); }

Result<std::shared_ptr<const SpoolWriter::HourKey>> SpoolWriter::hour_key(Id tenant, Milliseconds time) {
  const std::uint32_t hour = hour_of(time);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = keys_.find({hour, tenant}); found != keys_.end()) return found->second;
  }
  // Without the lock: asking for the public key may take its time, and other tenants shall not wait for it. When two
  // threads do the same at once, the first key wins.
  ASSIGN_OR_RETURN(const SpoolPublicKey public_key, public_key_(tenant));
  auto fresh = std::make_shared<HourKey>();
  fresh->id = Id::random();
  fresh->key = SecretText::random(sealed::key_size);
  KeyRecord record{fresh->id, tenant, hour, public_key.version, {}};
  ASSIGN_OR_RETURN(const std::string box,
                   sealed::seal_box(public_key.public_key, box_context(region_, record), fresh->key.reveal()));
  record.box = box;
  fresh->record = std::make_shared<const segments::Preamble>(
      segments::Preamble{std::string(fresh->id.bytes()), type_hour_key, encode(record)});

  const std::lock_guard lock(mutex_);
  // Items are stamped by threads that may be a little late: the hour before stays usable until the next one begins.
  std::erase_if(keys_, [hour](const auto& entry) { return entry.first.first + 1 < hour; });
  return keys_.try_emplace({hour, tenant}, std::move(fresh)).first->second;
}

}  // namespace mailhold::spool
