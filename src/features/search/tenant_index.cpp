#include "features/search/tenant_index.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <thread>
#include <tuple>

#include "base/bytes.h"
#include "base/log.h"
#include "features/search/words.h"
#include "formats/sealed/padding.h"
#include "formats/sealed/sealed.h"

namespace mailhold::search {
namespace {

// 2: attachments that are PDF or office files have their text. 3: so have older office files, rich text and archives. What an
// earlier one names is built anew.
constexpr std::uint8_t manifest_version = 3;
constexpr std::size_t segments_max = 4096;

Error corrupt(const std::string& what) { return {ErrorKind::corrupt, "index: " + what}; }

Result<ipc::OwnedFd> lock_folder(const std::filesystem::path& folder, std::chrono::milliseconds lock_time) {
  ipc::OwnedFd file(::open((folder / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.is_open()) return Error{ErrorKind::unavailable, std::string("index: the lock: ") + std::strerror(errno)};
  const Deadline deadline = Deadline::after(lock_time);
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (deadline.left().count() == 0) return Error{ErrorKind::unavailable, "index: another process has it"};
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return file;
}

Result<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorKind::not_found, "index: no " + path.filename().string()};
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

Result<std::unique_ptr<TenantIndex>> TenantIndex::open(Place place, const IndexLimits& limits) {
  std::unique_ptr<TenantIndex> index(new TenantIndex(std::move(place), limits));
  ASSIGN_OR_RETURN(index->lock_, lock_folder(index->place_.folder, limits.lock_time));
  RETURN_IF_ERROR(index->load());
  return index;
}

TenantIndex::~TenantIndex() = default;

Status TenantIndex::load() {
  const Result<std::string> row = read_file(place_.folder / "manifest");
  if (!row && row.error().kind == ErrorKind::not_found) return begin();
  if (!row) return row.error();
  ASSIGN_OR_RETURN(const sealed::RowHeader header, sealed::read_row_header(*row));
  generation_ = header.version;
  ASSIGN_OR_RETURN(
      const std::string bytes,
      sealed::open(place_.key.reveal(), place_.context(sealed::Kind::index_journal, place_.tenant, 2, generation_), *row));
  if (!bytes.empty() && static_cast<std::uint8_t>(bytes.front()) < manifest_version) {
    RETURN_IF_ERROR(begin());
    remove_unnamed();
    return done();
  }
  Id journal;
  RETURN_IF_ERROR(read_manifest(bytes, journal));
  for (const Part& part : parts_) RETURN_IF_ERROR(opened(part.id));
  RETURN_IF_ERROR(begin_journal(journal));
  remove_unnamed();
  return done();
}

// As an empty one.
Status TenantIndex::begin() {
  const Id journal = Id::random();
  RETURN_IF_ERROR(write_manifest(journal));
  return begin_journal(journal);
}

Status TenantIndex::read_manifest(std::string_view bytes, Id& journal) {
  ByteReader reader(bytes);
  if (reader.u8() != manifest_version || reader.u64() != generation_) return corrupt("a manifest of an unknown version");
  journal = Id::from_bytes(reader.raw(Id::size));
  std::uint32_t segments = reader.count(Id::size + 17);
  if (segments > segments_max) return corrupt("too many segments");
  for (; segments > 0; --segments) {
    Part part{Id::from_bytes(reader.raw(Id::size)), reader.u8(), reader.u64(), reader.u64()};
    parts_.push_back(part);
  }
  ASSIGN_OR_RETURN(const std::vector<Cursor> cursors, parse_cursors(reader.text()));
  for (const Cursor& cursor : cursors) cursors_[cursor.mailbox] = cursor;
  ASSIGN_OR_RETURN(const std::vector<Id> forgotten, parse_ids(reader.text()));
  forgotten_.insert(forgotten.begin(), forgotten.end());
  if (!reader.ok()) return corrupt("a manifest that is cut off");
  return done();
}

Status TenantIndex::write_manifest(Id journal) {
  ByteWriter writer;
  writer.u8(manifest_version).u64(generation_ + 1).raw(journal.bytes()).u32(static_cast<std::uint32_t>(parts_.size()));
  for (const Part& part : parts_) writer.raw(part.id.bytes()).u8(part.level).u64(part.documents).u64(part.bytes);
  writer.text(encode(cursors())).text(encode(std::vector<Id>(forgotten_.begin(), forgotten_.end())));
  std::string bytes = writer.take();
  bytes.resize(sealed::padded_length(bytes.size()), '\0');
  const std::string row =
      sealed::seal(place_.key.reveal(), place_.context(sealed::Kind::index_journal, place_.tenant, 2, generation_ + 1), bytes);
  RETURN_IF_ERROR(write_durably(place_.folder / "manifest", [&](int file) { return write_all(file, row); }));
  ++generation_;
  return done();
}

Status TenantIndex::begin_journal(Id journal) {
  ASSIGN_OR_RETURN(Journal opened, Journal::open(place_, journal, [this](Journal::Record record, std::string_view body) {
                     return take_record(record, body);
                   }));
  journal_.emplace(std::move(opened));
  return done();
}

Status TenantIndex::take_record(Journal::Record record, std::string_view body) {
  if (record == Journal::Record::forget) {
    ASSIGN_OR_RETURN(const std::vector<Id> messages, parse_ids(body));
    forgotten_.insert(messages.begin(), messages.end());
    return done();
  }
  ASSIGN_OR_RETURN(Batch batch, parse_batch(body));
  take_batch(std::move(batch));
  return done();
}

void TenantIndex::take_batch(Batch batch) {
  cursors_[batch.cursor.mailbox] = batch.cursor;
  for (Document& document : batch.documents) {
    forgotten_.erase(document.message);  // it is there again
    pending_bytes_ += document.texts.bytes();
    pending_.push_back(std::move(document));
  }
}

Status TenantIndex::add(const Batch& batch) {
  Batch clean = batch;
  for (Document& document : clean.documents) {
    Texts& texts = document.texts;
    for (std::string* text :
         {&texts.senders, &texts.recipients, &texts.subject, &texts.body, &texts.attachment_names, &texts.attachment_text})
      *text = indexable(*text);
  }
  RETURN_IF_ERROR(journal_->append(Journal::Record::batch, encode(clean)));
  take_batch(std::move(clean));
  return done();
}

Status TenantIndex::forget(const std::vector<Id>& messages) {
  RETURN_IF_ERROR(journal_->append(Journal::Record::forget, encode(messages)));
  forgotten_.insert(messages.begin(), messages.end());
  return done();
}

std::vector<Cursor> TenantIndex::cursors() const {
  std::vector<Cursor> all;
  for (const auto& [mailbox, cursor] : cursors_) all.push_back(cursor);
  return all;
}

Figures TenantIndex::figures() const {
  Figures figures{pending_.size(), static_cast<std::uint32_t>(parts_.size()), 0};
  for (const Part& part : parts_) {
    figures.documents += part.documents;
    figures.bytes += part.bytes;
  }
  return figures;
}

Result<Segment*> TenantIndex::opened(Id segment) {
  std::unique_ptr<Segment>& place = segments_[segment];
  if (!place) {
    auto opened = Segment::open(place_, segment);
    if (!opened) {
      segments_.erase(segment);
      // What the manifest names must be there.
      if (opened.error().kind == ErrorKind::not_found) return corrupt("segment " + segment.text() + " is missing");
      return opened.error();
    }
    place = std::move(*opened);
  }
  return place.get();
}

Result<std::vector<Hit>> TenantIndex::find_pending(const Question& question, const Deadline& deadline) {
  if (pending_.empty()) return std::vector<Hit>();
  if (!table_) {
    ASSIGN_OR_RETURN(WordTable table, WordTable::make());
    table_.emplace(std::move(table));
    in_table_ = 0;
  }
  for (; in_table_ < pending_.size(); ++in_table_) RETURN_IF_ERROR(table_->add(pending_[in_table_]));
  return table_->find(question, forgotten_, deadline);
}

Result<std::vector<Hit>> TenantIndex::find(const Question& question, const Deadline& deadline) {
  ASSIGN_OR_RETURN(std::vector<Hit> hits, find_pending(question, deadline));
  for (const Part& part : parts_) {
    ASSIGN_OR_RETURN(Segment * segment, opened(part.id));
    ASSIGN_OR_RETURN(const std::vector<Hit> more, segment->find(question, forgotten_, deadline));
    hits.insert(hits.end(), more.begin(), more.end());
  }
  std::sort(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) {
    return std::tuple(b.received, a.mailbox, a.message) < std::tuple(a.received, b.mailbox, b.message);
  });
  hits.erase(std::unique(hits.begin(), hits.end()), hits.end());  // taken in twice, around a crash
  if (hits.size() > question.limit) hits.resize(question.limit);
  return hits;
}

// The manifest names these segments and an empty journal from now on; what it names no more is deleted.
Status TenantIndex::switch_to(std::vector<Part> parts) {
  std::swap(parts_, parts);
  const Id journal = pending_.empty() && journal_ ? journal_->id() : Id::random();
  if (Status written = write_manifest(journal); !written) {
    std::swap(parts_, parts);
    return written;
  }
  if (!journal_ || journal != journal_->id()) {
    pending_.clear();
    pending_bytes_ = 0;
    table_.reset();
    in_table_ = 0;
    RETURN_IF_ERROR(begin_journal(journal));
  }
  remove_unnamed();
  return done();
}

Status TenantIndex::flush() {
  if (pending_.empty()) return done();
  std::vector<const Document*> by_date;
  for (const Document& document : pending_) {
    if (!forgotten_.contains(document.message)) by_date.push_back(&document);
  }
  std::stable_sort(by_date.begin(), by_date.end(),
                   [](const Document* a, const Document* b) { return a->received < b->received; });
  ASSIGN_OR_RETURN(WordTable table, WordTable::make());
  for (const Document* document : by_date) RETURN_IF_ERROR(table.add(*document));
  const Id segment = Id::random();
  RETURN_IF_ERROR(table.write(place_, segment));
  ASSIGN_OR_RETURN(const auto file, SealedFile::open(place_, segment));
  std::vector<Part> parts = parts_;
  parts.push_back({segment, 0, by_date.size(), file->bytes()});
  return switch_to(std::move(parts));
}

std::optional<std::vector<TenantIndex::Part>> TenantIndex::due_for_merging() const {
  for (std::uint8_t level = 0; level < limits_.level_max; ++level) {
    std::vector<Part> of_level;
    for (const Part& part : parts_) {
      if (part.level == level) of_level.push_back(part);
    }
    if (of_level.size() < limits_.merged_at_once) continue;
    of_level.resize(limits_.merged_at_once);
    return of_level;
  }
  return std::nullopt;
}

Status TenantIndex::merge(const std::vector<Part>& from) {
  std::vector<Segment*> segments;
  for (const Part& part : from) {
    ASSIGN_OR_RETURN(Segment * segment, opened(part.id));
    segments.push_back(segment);
  }
  const Id into = Id::random();
  ASSIGN_OR_RETURN(const std::uint64_t documents, Segment::merge(place_, segments, forgotten_, into));
  ASSIGN_OR_RETURN(const auto file, SealedFile::open(place_, into));
  std::vector<Part> parts;
  for (const Part& part : parts_) {
    const auto is_it = [&](const Part& merged) { return merged.id == part.id; };
    if (std::none_of(from.begin(), from.end(), is_it)) parts.push_back(part);
  }
  parts.push_back({into, static_cast<std::uint8_t>(from.front().level + 1), documents, file->bytes()});
  return switch_to(std::move(parts));
}

Result<bool> TenantIndex::maintain() {
  if (pending_.size() >= limits_.journal_documents || pending_bytes_ >= limits_.journal_text_bytes) {
    RETURN_IF_ERROR(flush());
    return true;
  }
  const auto due = due_for_merging();
  if (!due) return false;
  // A merge with a journal beside it would have to name both: the journal goes first.
  RETURN_IF_ERROR(flush());
  RETURN_IF_ERROR(merge(*due));
  return true;
}

void TenantIndex::remove_unnamed() {
  std::set<std::string> named = {"manifest", "lock", journal_->id().text() + ".journal"};
  for (const Part& part : parts_) named.insert(part.id.text() + ".segment");
  std::erase_if(segments_, [&](const auto& entry) { return !named.contains(entry.first.text() + ".segment"); });
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(place_.folder, error)) {
    if (!named.contains(entry.path().filename().string())) std::filesystem::remove(entry.path(), error);
  }
}

}  // namespace mailhold::search
