#include "core/store/pack_space.h"

#include <set>

#include "base/log.h"
#include "core/store/bundle.h"

namespace mailhold::store {
namespace {

constexpr std::uint64_t living_share_min = 4;  // a segment that lives to less than one part in four is emptied
constexpr std::size_t segments_moved_at_once_max = 8;
constexpr std::size_t objects_moved_at_once_max = 256;
constexpr std::size_t places_at_once_max = 1000;

void note_members(const StoreRows::Found& bundle, std::vector<StoreRows::Found>& found) {
  std::uint32_t member = 0;
  for (const Id& message : split_ids(bundle.name)) found.push_back({bundle.object, std::string(message.bytes()), ++member});
}

// Places of objects that were found, written to the rows a thousand at a time.
class Places {
 public:
  Places(StoreRows& rows, const Deadline& deadline) : rows_(rows), deadline_(deadline) {}

  // False if there is no going on: write() says why.
  bool note(std::string_view bytes, const Place& place) {
    if (deadline_.stop.stop_requested()) outcome_ = Error{ErrorKind::cancelled, "asked to stop"};
    if (!outcome_) return false;
    const Result<ObjectView> view = parse_object(bytes);
    if (!view) log_error("store", view.error().detail);
    if (!view) return true;
    ++count_;
    const StoreRows::Found object{{view->name.tenant, view->name.object, place}, std::string(view->name.name), 0};
    if (view->name.kind == ObjectKind::bundle)
      note_members(object, found_);
    else
      found_.push_back(object);
    return found_.size() < places_at_once_max || write();
  }
  Status write() {
    if (outcome_ && !found_.empty()) outcome_ = rows_.set_places(found_, deadline_);
    found_.clear();
    return outcome_;
  }
  std::uint64_t count() const { return count_; }

 private:
  StoreRows& rows_;
  const Deadline& deadline_;
  std::vector<StoreRows::Found> found_;
  Status outcome_ = done();
  std::uint64_t count_ = 0;
};

}  // namespace

Result<Reclaimed> PackSpace::collect(const Deadline& deadline) {
  Reclaimed reclaimed;
  ASSIGN_OR_RETURN(reclaimed.names, rows_.remove_orphaned_names(deadline));
  RETURN_IF_ERROR(collect_segments(reclaimed, deadline));
  RETURN_IF_ERROR(collect_blobs(reclaimed, deadline));
  return reclaimed;
}

Status PackSpace::collect_segments(Reclaimed& reclaimed, const Deadline& deadline) {
  std::vector<std::uint64_t> finished;
  std::map<std::uint64_t, std::uint64_t> file_bytes;
  {
    // Whatever lies in these is in the rows, or was left by a batch that failed.
    const std::lock_guard lock(turn_);
    ASSIGN_OR_RETURN(finished, shelf_.packs().finished());
    ASSIGN_OR_RETURN(const std::vector<segments::SegmentFile> files, shelf_.packs().list());
    for (const segments::SegmentFile& file : files) file_bytes[file.number] = file.bytes;
  }
  ASSIGN_OR_RETURN(const std::vector<StoreRows::SegmentUse> uses, rows_.segments_in_use(deadline));
  std::map<std::uint64_t, std::uint64_t> living;
  for (const StoreRows::SegmentUse& use : uses) living[use.segment] = use.bytes;
  std::size_t moved_segments = 0;
  for (const std::uint64_t segment : finished) {
    const bool is_sparse = living.contains(segment) && living[segment] < file_bytes[segment] / living_share_min;
    if (is_sparse && moved_segments++ < segments_moved_at_once_max)
      RETURN_IF_ERROR(move_out_of(segment, reclaimed, deadline));
    else if (living.contains(segment))
      continue;
    RETURN_IF_ERROR(shelf_.packs().remove(segment));
    ++reclaimed.segments;
  }
  return done();
}

Status PackSpace::move_out_of(std::uint64_t segment, Reclaimed& reclaimed, const Deadline& deadline) {
  for (;;) {
    // Under the lock, so that no batch takes an old place over into a new wrap meanwhile.
    const std::lock_guard lock(turn_);
    ASSIGN_OR_RETURN(std::vector<ObjectPlace> objects, rows_.objects_in(segment, deadline));
    if (objects.empty()) return done();
    if (objects.size() > objects_moved_at_once_max) objects.resize(objects_moved_at_once_max);
    std::vector<segments::NewRecord> records;
    for (const ObjectPlace& object : objects) {
      ASSIGN_OR_RETURN(segments::Record record, shelf_.packs().read(object.place.location()));
      records.push_back({record.type, std::move(record.payload), {}, nullptr});
    }
    ASSIGN_OR_RETURN(const std::vector<segments::Location> locations, packs_.append_and_wait(std::move(records), deadline));
    std::vector<std::pair<ObjectPlace, Place>> moves;
    for (std::size_t i = 0; i < objects.size(); ++i) {
      moves.emplace_back(objects[i], Place{locations[i].segment, locations[i].offset, locations[i].length});
    }
    RETURN_IF_ERROR(rows_.move(moves, deadline));
    reclaimed.moved += objects.size();
  }
}

Status PackSpace::collect_blobs(Reclaimed& reclaimed, const Deadline& deadline) {
  std::vector<std::string> names;
  {
    const std::lock_guard lock(turn_);
    ASSIGN_OR_RETURN(names, blobs_.list("", deadline));
  }
  ASSIGN_OR_RETURN(const std::vector<ObjectPlace> objects, rows_.objects_in(0, deadline));
  std::set<std::string> living;
  for (const ObjectPlace& object : objects) living.insert(ObjectShelf::blob_name(object.object));
  for (const std::string& name : names) {
    if (living.contains(name)) continue;
    RETURN_IF_ERROR(blobs_.remove(name, deadline));
    ++reclaimed.blobs;
  }
  return done();
}

Result<std::uint64_t> PackSpace::rebuild(const Deadline& deadline) {
  Places places(rows_, deadline);
  ASSIGN_OR_RETURN(const std::vector<segments::SegmentFile> files, shelf_.packs().list());
  for (const segments::SegmentFile& file : files) {
    // What was found in a segment is in the rows before anything may be moved out of it.
    const std::lock_guard lock(turn_);
    const auto visit = [&](const segments::Location& location, std::uint16_t, std::string_view payload) {
      return places.note(payload, {location.segment, location.offset, location.length}) ? segments::Visit::go_on
                                                                                        : segments::Visit::stop;
    };
    const auto end = shelf_.packs().scan_past_damage({file.number, 0}, visit, segments::Holes::may_hide_more);
    if (!end && end.error().kind == ErrorKind::not_found) continue;  // nothing lived in it any more
    if (!end) return end.error();
    RETURN_IF_ERROR(places.write());
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> names, blobs_.list("", deadline));
  for (const std::string& name : names) {
    const Result<std::string> bytes = blobs_.get(name, deadline);
    if (!bytes && bytes.error().kind == ErrorKind::not_found) continue;
    if (!bytes) return bytes.error();
    if (!places.note(*bytes, {0, 0, static_cast<std::uint32_t>(bytes->size())})) break;
  }
  RETURN_IF_ERROR(places.write());
  return places.count();
}

}  // namespace mailhold::store
