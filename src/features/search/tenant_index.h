// TenantIndex: the index of one tenant: a journal, segments, and the manifest that names them. What was added is found at once
// and is durable; maintain() makes segments of the journal and larger segments of small ones. One thread, one process at a time.
//
// Design: docs/formats/search.md
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "features/search/document.h"
#include "features/search/journal.h"
#include "features/search/segment.h"

namespace mailhold::search {

struct IndexLimits {
  std::size_t journal_documents = 8192;  // then it becomes a segment
  std::size_t journal_text_bytes = 16U << 20;
  std::size_t merged_at_once = 8;  // so many segments of a level become one of the next
  std::uint8_t level_max = 2;
  std::chrono::milliseconds lock_time{10'000};  // another process that has just been ended may hold the index for a moment
};

class TenantIndex {
 public:
  // Makes one if the folder is empty. corrupt: something of it does not open; nothing was changed. unavailable: another
  // process has it, or the disk fails.
  static Result<std::unique_ptr<TenantIndex>> open(Place place, const IndexLimits& limits = {});
  ~TenantIndex();

  // Durable when this returns. The cursor says how far the mailbox has been taken in with this.
  Status add(const Batch& batch);
  // Found no more; out of the files with the next merge of their segment. Durable when this returns.
  Status forget(const std::vector<Id>& messages);

  // The newest first, of all segments together.
  Result<std::vector<Hit>> find(const Question& question, const Deadline& deadline);

  std::vector<Cursor> cursors() const;
  Figures figures() const;

  // One step of what is due, which may take seconds; whether there was one. An error leaves all as it was.
  Result<bool> maintain();
  // Makes a segment of the journal now, whatever its size.
  Status flush();

 private:
  struct Part {
    Id id;
    std::uint8_t level = 0;
    std::uint64_t documents = 0;
    std::uint64_t bytes = 0;
  };
  TenantIndex(Place place, const IndexLimits& limits) : place_(std::move(place)), limits_(limits) {}
  Status load();
  Status begin();
  Status read_manifest(std::string_view bytes, Id& journal);
  Status write_manifest(Id journal);
  Status begin_journal(Id journal);
  Status take_record(Journal::Record record, std::string_view body);
  void take_batch(Batch batch);
  Status switch_to(std::vector<Part> parts);
  Result<Segment*> opened(Id segment);
  Result<std::vector<Hit>> find_pending(const Question& question, const Deadline& deadline);
  void remove_unnamed();
  std::optional<std::vector<Part>> due_for_merging() const;
  Status merge(const std::vector<Part>& from);

  Place place_;
  const IndexLimits limits_;
  ipc::OwnedFd lock_;
  std::uint64_t generation_ = 0;
  std::vector<Part> parts_;
  std::map<Id, std::unique_ptr<Segment>> segments_;
  std::optional<Journal> journal_;
  std::map<Id, Cursor> cursors_;
  std::set<Id> forgotten_;
  std::vector<Document> pending_;  // of the journal
  std::size_t pending_bytes_ = 0;
  std::optional<WordTable> table_;  // of the first `in_table_` of them; made when somebody asks
  std::size_t in_table_ = 0;
};

}  // namespace mailhold::search
