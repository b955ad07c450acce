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

}  // namespace

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
  // What was found in a file that is gone meanwhile.
  void forget() { found_.clear(); }
  std::uint64_t count() const { return count_; }

 private:
  StoreRows& rows_;
  const Deadline& deadline_;
  std::vector<StoreRows::Found> found_;
  Status outcome_ = done();
  std::uint64_t count_ = 0;
};

Result<Reclaimed> PackSpace::collect(const Deadline& deadline) {
  Reclaimed reclaimed;
  // A rebuild has yet to write down what lies in the segments that it has not come to.
  const std::unique_lock alone(sweeping_, std::try_to_lock);
  if (!alone) return reclaimed;
  ASSIGN_OR_RETURN(Living living, look(deadline));
  RETURN_IF_ERROR(expect_rows_of_these_packs(living, deadline));
  ASSIGN_OR_RETURN(reclaimed.names, rows_.remove_orphaned_names(deadline));
  RETURN_IF_ERROR(collect_segments(living, reclaimed, deadline));
  RETURN_IF_ERROR(collect_blobs(reclaimed, deadline));
  return reclaimed;
}

Result<PackSpace::Living> PackSpace::look(const Deadline& deadline) {
  Living living;
  {
    // Whatever lies in these is in the rows, or was left by a batch that failed.
    const std::lock_guard lock(turn_);
    ASSIGN_OR_RETURN(living.finished, shelf_.packs().finished());
    ASSIGN_OR_RETURN(const std::vector<segments::SegmentFile> files, shelf_.packs().list());
    for (const segments::SegmentFile& file : files) living.file_bytes[file.number] = file.bytes;
  }
  ASSIGN_OR_RETURN(const std::vector<StoreRows::SegmentUse> uses, rows_.segments_in_use(deadline));
  for (const StoreRows::SegmentUse& use : uses) living.bytes[use.segment] = use.bytes;
  return living;
}

// Those behind the newest file may have been begun since it was looked for.
std::vector<std::uint64_t> PackSpace::named_without_file(const Living& living) {
  std::vector<std::uint64_t> missing;
  if (living.file_bytes.empty()) return missing;
  for (const auto& [segment, bytes] : living.bytes) {
    if (segment < living.file_bytes.rbegin()->first && !living.file_bytes.contains(segment)) missing.push_back(segment);
  }
  return missing;
}

// Rows from before a segment was emptied name it, and not the one that all of it was moved to. What a rebuild did not find either
// is nowhere.
Status PackSpace::expect_rows_of_these_packs(const Living& living, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::set<std::uint64_t> not_found, rows_.segments_not_found(deadline));
  for (const std::uint64_t segment : named_without_file(living)) {
    if (not_found.contains(segment)) continue;
    return Error{ErrorKind::corrupt, "the records name segment " + segments::segment_file_name(segment) +
                                         ", whose file is gone: no space is given back before the places are written anew by "
                                         "mailhold backup check --set-places"};
  }
  return done();
}

Status PackSpace::collect_segments(Living& living, Reclaimed& reclaimed, const Deadline& deadline) {
  std::size_t moved_segments = 0;
  for (const std::uint64_t segment : living.finished) {
    if (deadline.stop.stop_requested()) return Error{ErrorKind::cancelled, "asked to stop"};
    const auto bytes = living.bytes.find(segment);
    const bool lives = bytes != living.bytes.end();
    const bool is_sparse = lives && bytes->second < living.file_bytes[segment] / living_share_min;
    if (is_sparse && moved_segments++ < segments_moved_at_once_max)
      RETURN_IF_ERROR(move_out_of(segment, reclaimed, deadline));
    else if (lives)
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

// Those that were not scanned before.
Status PackSpace::scan(Places& places, std::set<std::uint64_t>& scanned) {
  ASSIGN_OR_RETURN(const std::vector<segments::SegmentFile> files, shelf_.packs().list());
  for (const segments::SegmentFile& file : files) {
    if (!scanned.insert(file.number).second) continue;
    const std::lock_guard lock(turn_);
    const auto visit = [&](const segments::Location& location, std::uint16_t, std::string_view payload) {
      return places.note(payload, {location.segment, location.offset, location.length}) ? segments::Visit::go_on
                                                                                        : segments::Visit::stop;
    };
    const auto end = shelf_.packs().scan_past_damage({file.number, 0}, visit, segments::Holes::may_hide_more);
    if (!end && end.error().kind == ErrorKind::not_found) {
      places.forget();
      scanned.erase(file.number);
      continue;
    }
    if (!end) return end.error();
    RETURN_IF_ERROR(places.write());
  }
  return done();
}

Result<std::uint64_t> PackSpace::rebuild(const Deadline& deadline) {
  // Until the last place is written, nothing says which files are not needed.
  const std::lock_guard alone(sweeping_);
  Places places(rows_, deadline);
  std::set<std::uint64_t> scanned;
  RETURN_IF_ERROR(scan(places, scanned));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, blobs_.list("", deadline));
  for (const std::string& name : names) {
    const Result<std::string> bytes = blobs_.get(name, deadline);
    if (!bytes && bytes.error().kind == ErrorKind::not_found) continue;
    if (!bytes) return bytes.error();
    if (!places.note(*bytes, {0, 0, static_cast<std::uint32_t>(bytes->size())})) break;
  }
  RETURN_IF_ERROR(places.write());
  // Files that came meanwhile.
  RETURN_IF_ERROR(scan(places, scanned));
  ASSIGN_OR_RETURN(const Living living, look(deadline));
  RETURN_IF_ERROR(rows_.note_segments_not_found(named_without_file(living), deadline));
  return places.count();
}

}  // namespace mailhold::store
