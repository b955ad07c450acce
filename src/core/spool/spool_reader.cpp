#include "core/spool/spool_reader.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/log.h"
#include "core/spool/spool_format.h"
#include "formats/sealed/sealed.h"

namespace mailhold::spool {

using segments::Holes;
using segments::ScanEnd;
using segments::ScanStop;
using segments::Visit;

struct SpoolReader::KnownKey {
  Id tenant;
  std::uint32_t hour = 0;
  std::uint32_t spool_key_version = 0;
  std::string box;
  std::uint64_t segment = 0;  // the newest one that holds it
  std::mutex mutex;
  SecretText key;  // empty until it was opened
};

SpoolReader::SpoolReader(std::filesystem::path folder, std::string region, BoxOpener open_box)
    : reader_(std::move(folder)), region_(std::move(region)), open_box_(std::move(open_box)) {}
SpoolReader::~SpoolReader() = default;

Result<SpoolItem> SpoolReader::read(const Location& location) {
  ASSIGN_OR_RETURN(const segments::Record record, reader_.read(location));
  if (record.type != type_item) return Error{ErrorKind::corrupt, "the record there is no item of the spool"};
  ASSIGN_OR_RETURN(const ItemRecord item, parse_item_record(record.payload));
  ASSIGN_OR_RETURN(const std::shared_ptr<KnownKey> key, open_key(location, item.key_id, item.tenant));
  ASSIGN_OR_RETURN(const std::string plaintext, sealed::open(key->key.reveal(), item_context(region_, item), item.row));
  ByteReader reader(plaintext);
  SpoolItem result{item.message, item.tenant, item.accepted_at, std::string(reader.text()), {}};
  if (!reader.ok()) return Error{ErrorKind::corrupt, "the head of message " + item.message.text() + " is cut off"};
  result.body = std::string(reader.rest());
  return result;
}

Result<Position> SpoolReader::scan(Position from, const std::function<Visit(const SpoolEntry&)>& visitor) const {
  ASSIGN_OR_RETURN(const std::vector<segments::SegmentFile> files, reader_.list());
  ASSIGN_OR_RETURN(const std::vector<std::uint64_t> finished, reader_.finished());
  const segments::SegmentReader::Visitor visit_items = [&visitor](const Location& location, std::uint16_t type,
                                                                  std::string_view payload) {
    if (type != type_item) return Visit::go_on;
    Result<ItemRecord> item = parse_item_record(payload);
    if (!item) {
      log_error("spool", item.error().detail);
      return Visit::go_on;
    }
    return visitor(SpoolEntry{location, item->message, item->tenant, item->accepted_at});
  };
  Position next = from;
  for (const segments::SegmentFile& file : files) {
    if (file.number < from.segment) continue;
    const Position begin{file.number, file.number == from.segment ? from.offset : 0};
    const Holes holes = std::ranges::binary_search(finished, file.number) ? Holes::may_hide_more : Holes::are_the_end;
    Result<ScanEnd> end = reader_.scan_past_damage(begin, visit_items, holes);
    if (!end && end.error().kind == ErrorKind::not_found) continue;  // removed a moment ago
    if (!end) return end.error();
    // An empty segment may be one made ahead while the one before it is still being written.
    if (end->next.offset > 0) next = end->next;
    if (end->reason == ScanStop::visitor) break;
  }
  return next;
}

Status SpoolReader::remove(std::uint64_t segment) {
  {
    const std::lock_guard lock(mutex_);
    // A key that goes may stand in an older segment too: that one is looked through again when the key is asked for.
    learned_to_.clear();
    std::erase_if(keys_, [segment](const auto& entry) { return entry.second->segment == segment; });
  }
  return reader_.remove(segment);
}

Status SpoolReader::learn_keys(std::uint64_t segment, std::uint64_t limit) {
  const std::uint64_t from = learned_to_[segment];
  if (from >= limit) return done();
  const auto visit_keys = [this](const Location& location, std::uint16_t type, std::string_view payload) {
    if (type != type_hour_key) return Visit::go_on;
    Result<KeyRecord> record = parse_key_record(payload);
    if (!record) {
      log_error("spool", record.error().detail);
      return Visit::go_on;
    }
    std::shared_ptr<KnownKey>& key = keys_[record->key_id];
    if (key == nullptr) {
      key = std::make_shared<KnownKey>();
      key->tenant = record->tenant;
      key->hour = record->hour;
      key->spool_key_version = record->spool_key_version;
      key->box = std::string(record->box);
    }
    key->segment = std::max(key->segment, location.segment);
    return Visit::go_on;
  };
  ASSIGN_OR_RETURN(const ScanEnd end, reader_.scan_past_damage({segment, from}, visit_keys, Holes::are_the_end, limit));
  learned_to_[segment] = end.next.offset;
  return done();
}

Result<std::shared_ptr<SpoolReader::KnownKey>> SpoolReader::find_key(const Location& item, Id key_id) {
  const std::lock_guard lock(mutex_);
  if (const auto found = keys_.find(key_id); found != keys_.end()) return found->second;
  RETURN_IF_ERROR(learn_keys(item.segment, item.offset));
  if (const auto found = keys_.find(key_id); found != keys_.end()) return found->second;
  // Its record in this segment is damaged: the key may have been used in others.
  ASSIGN_OR_RETURN(const std::vector<segments::SegmentFile> files, reader_.list());
  for (const segments::SegmentFile& file : files) {
    if (file.number == item.segment) continue;
    if (Status learned = learn_keys(file.number, UINT64_MAX); !learned && learned.error().is_temporary()) return learned.error();
  }
  if (const auto found = keys_.find(key_id); found != keys_.end()) return found->second;
  return Error{ErrorKind::corrupt, "no record of hour key " + key_id.text() + " in the spool"};
}

Result<std::shared_ptr<SpoolReader::KnownKey>> SpoolReader::open_key(const Location& item, Id key_id, Id tenant) {
  ASSIGN_OR_RETURN(std::shared_ptr<KnownKey> key, find_key(item, key_id));
  if (key->tenant != tenant) return Error{ErrorKind::corrupt, "hour key " + key_id.text() + " is another tenant's"};
  // The lock is the key's own: while keyd is asked for one, others go on.
  const std::lock_guard lock(key->mutex);
  if (!key->key.empty()) return key;
  const KeyRecord record{key_id, key->tenant, key->hour, key->spool_key_version, key->box};
  ASSIGN_OR_RETURN(key->key, open_box_(tenant, key->spool_key_version, key->box, box_context(region_, record).encode()));
  return key;
}

}  // namespace mailhold::spool
