// Segments: documents and the words they contain, in an SQLite database with FTS5. A WordTable is one in memory, that grows; a
// Segment is one in a sealed file, that never changes. Internal to this room. One thread at a time.
//
// Design: docs/formats/search.md
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "features/search/document.h"
#include "features/search/sealed_file.h"
#include "features/search/sqlite_handle.h"

namespace mailhold::search {

inline constexpr std::size_t segment_cache_bytes = 2U << 20;  // opened pages of one segment in memory

class WordTable {
 public:
  static Result<WordTable> make();

  Status add(const Document& document);
  // Words that were taken out of another segment: a text of words of each column.
  static constexpr std::size_t columns = 6;
  Status add_words(const Hit& about, const std::string (&words)[columns]);

  // The newest first. `forgotten` messages are left out.
  Result<std::vector<Hit>> find(const Question& question, const std::set<Id>& forgotten, const Deadline& deadline);

  // Seals what is in it. The documents must have been added in the order of their dates. It is of no use afterwards.
  Status write(const Place& place, Id segment);
  std::uint64_t documents() const { return documents_; }

 private:
  explicit WordTable(Database database) : database_(std::move(database)) {}
  Result<std::int64_t> number_of(Id mailbox);
  Status begin_statements();

  Database database_;
  std::unique_ptr<Query> add_document_, add_words_, add_mailbox_;
  std::map<Id, std::int64_t> mailboxes_;
  std::uint64_t documents_ = 0;
};

class Segment {
 public:
  static Result<std::unique_ptr<Segment>> open(const Place& place, Id segment);  // corrupt, not_found

  Result<std::vector<Hit>> find(const Question& question, const std::set<Id>& forgotten, const Deadline& deadline);

  // One segment of several: what is forgotten is left out. Gives the number of documents.
  static Result<std::uint64_t> merge(const Place& place, const std::vector<Segment*>& from, const std::set<Id>& forgotten,
                                     Id into);

 private:
  Segment(std::unique_ptr<SealedFile> file, Database database) : file_(std::move(file)), database_(std::move(database)) {}
  std::unique_ptr<SealedFile> file_;
  Database database_;
};

// Loads and uses once what SQLite makes at its first use: before the sandbox closes.
Status load_search_tables();

}  // namespace mailhold::search
