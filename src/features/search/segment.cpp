#include "features/search/segment.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "features/search/sealed_vfs.h"
#include "features/search/words.h"

namespace mailhold::search {
namespace {

constexpr std::int64_t id_max = std::numeric_limits<std::int64_t>::max();

constexpr const char* schema =
    "CREATE TABLE docs (id INTEGER PRIMARY KEY, mailbox INTEGER NOT NULL, message BLOB NOT NULL, received INTEGER NOT NULL);"
    "CREATE TABLE mailboxes (number INTEGER PRIMARY KEY, mailbox BLOB NOT NULL);"
    "CREATE VIRTUAL TABLE words USING fts5 (sender, recipient, subject, body, attachment, marks, content='', columnsize=0,"
    " detail=full, tokenize=\"unicode61 remove_diacritics 2\");"
    "BEGIN";

Hit hit_of(const Query& row, int first) {
  return {Id::from_bytes(row.bytes(first)), Id::from_bytes(row.bytes(first + 1)), row.number(first + 2)};
}

// The documents that match, with ids from `first` to `last`, the last first, until `take` says no.
Status visit(Database& database, const Question& question, std::int64_t first, std::int64_t last,
             const std::function<bool(const Hit&)>& take) {
  ASSIGN_OR_RETURN(Query query, database.prepare("SELECT m.mailbox, d.message, d.received FROM words"
                                                 " CROSS JOIN docs d ON d.id = words.rowid"
                                                 " CROSS JOIN mailboxes m ON m.number = d.mailbox"
                                                 " WHERE words MATCH ?1 AND words.rowid BETWEEN ?2 AND ?3"
                                                 " ORDER BY words.rowid DESC"));
  query.bind_text(1, question.words);
  query.bind(2, first);
  query.bind(3, last);
  for (;;) {
    ASSIGN_OR_RETURN(const bool more, query.step());
    if (!more || !take(hit_of(query, 0))) return done();
  }
}

bool is_newer(const Hit& a, const Hit& b) { return a.received != b.received ? a.received > b.received : a.message < b.message; }

// The first id whose document was received at `time` or later.
Result<std::int64_t> first_since(Query& received_at, std::int64_t count, Milliseconds time) {
  std::int64_t low = 1, high = count + 1;
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    received_at.bind(1, middle);
    ASSIGN_OR_RETURN(const bool there, received_at.step());
    const bool earlier = there && received_at.number(0) < time;
    received_at.reset();
    if (!there) return Error{ErrorKind::corrupt, "index: a document is missing"};
    (earlier ? low : high) = earlier ? middle + 1 : middle;
  }
  return low;
}

Result<std::int64_t> number_in(Database& database, std::string_view sql) {
  ASSIGN_OR_RETURN(Query query, database.prepare(sql));
  ASSIGN_OR_RETURN(const bool there, query.step());
  return there ? query.number(0) : 0;
}

}  // namespace

Result<WordTable> WordTable::make() {
  ASSIGN_OR_RETURN(Database database, Database::in_memory());
  RETURN_IF_ERROR(database.run(schema));
  WordTable table(std::move(database));
  RETURN_IF_ERROR(table.begin_statements());
  return table;
}

Status WordTable::begin_statements() {
  const auto prepare = [this](std::string_view sql) -> Result<std::unique_ptr<Query>> {
    ASSIGN_OR_RETURN(Query query, database_.prepare(sql));
    return std::make_unique<Query>(std::move(query));
  };
  ASSIGN_OR_RETURN(add_document_, prepare("INSERT INTO docs VALUES (?1, ?2, ?3, ?4)"));
  ASSIGN_OR_RETURN(add_words_, prepare("INSERT INTO words (rowid, sender, recipient, subject, body, attachment, marks)"
                                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"));
  ASSIGN_OR_RETURN(add_mailbox_, prepare("INSERT INTO mailboxes VALUES (?1, ?2)"));
  return done();
}

Result<std::int64_t> WordTable::number_of(Id mailbox) {
  const auto found = mailboxes_.find(mailbox);
  if (found != mailboxes_.end()) return found->second;
  const auto number = static_cast<std::int64_t>(mailboxes_.size()) + 1;
  add_mailbox_->bind(1, number);
  add_mailbox_->bind_bytes(2, mailbox.bytes());
  RETURN_IF_ERROR(add_mailbox_->run());
  mailboxes_[mailbox] = number;
  return number;
}

Status WordTable::add(const Document& document) {
  const Texts& texts = document.texts;
  return add_words({document.mailbox, document.message, document.received},
                   {texts.senders, texts.recipients, texts.subject, texts.body,
                    texts.attachment_names + "\n" + texts.attachment_text, marks_of(document)});
}

Status WordTable::add_words(const Hit& about, const std::string (&words)[columns]) {
  ASSIGN_OR_RETURN(const std::int64_t mailbox, number_of(about.mailbox));
  const auto id = static_cast<std::int64_t>(documents_) + 1;
  add_document_->bind(1, id);
  add_document_->bind(2, mailbox);
  add_document_->bind_bytes(3, about.message.bytes());
  add_document_->bind(4, about.received);
  RETURN_IF_ERROR(add_document_->run());
  add_words_->bind(1, id);
  for (std::size_t i = 0; i < columns; ++i) add_words_->bind_text(static_cast<int>(i) + 2, words[i]);
  RETURN_IF_ERROR(add_words_->run());
  ++documents_;
  return done();
}

Result<std::vector<Hit>> WordTable::find(const Question& question, const std::set<Id>& forgotten, const Deadline& deadline) {
  database_.limit_time(deadline);
  std::vector<Hit> hits;
  RETURN_IF_ERROR(visit(database_, question, 1, id_max, [&](const Hit& hit) {
    const bool in_time = hit.received >= question.from && (question.until == 0 || hit.received < question.until);
    if (in_time && !forgotten.contains(hit.message)) hits.push_back(hit);
    return true;
  }));
  std::sort(hits.begin(), hits.end(), is_newer);
  if (hits.size() > question.limit) hits.resize(question.limit);
  return hits;
}

Status WordTable::write(const Place& place, Id segment) {
  add_document_.reset();
  add_words_.reset();
  add_mailbox_.reset();
  // One run of each word's places, and no free page in between.
  RETURN_IF_ERROR(database_.run("INSERT INTO words (words) VALUES ('optimize'); COMMIT; VACUUM"));
  const std::string_view pages = database_.bytes();
  if (pages.empty() || pages.size() % page_bytes != 0) return Error{ErrorKind::bug, "an index that is not in pages"};
  return SealedFile::write(place, segment, pages);
}

Result<std::unique_ptr<Segment>> Segment::open(const Place& place, Id segment) {
  ASSIGN_OR_RETURN(std::unique_ptr<SealedFile> file, SealedFile::open(place, segment));
  ASSIGN_OR_RETURN(Database database, open_sealed(*file, segment_cache_bytes));
  return std::unique_ptr<Segment>(new Segment(std::move(file), std::move(database)));
}

Result<std::vector<Hit>> Segment::find(const Question& question, const std::set<Id>& forgotten, const Deadline& deadline) {
  database_.limit_time(deadline);
  std::int64_t first = 1, last = id_max;
  if (question.from > 0 || question.until > 0) {
    ASSIGN_OR_RETURN(const std::int64_t count, number_in(database_, "SELECT max(id) FROM docs"));
    ASSIGN_OR_RETURN(Query received_at, database_.prepare("SELECT received FROM docs WHERE id = ?1"));
    if (question.from > 0) {
      ASSIGN_OR_RETURN(first, first_since(received_at, count, question.from));
    }
    if (question.until > 0) {
      ASSIGN_OR_RETURN(last, first_since(received_at, count, question.until));
      --last;
    }
  }
  std::vector<Hit> hits;
  if (question.limit == 0) return hits;
  RETURN_IF_ERROR(visit(database_, question, first, last, [&](const Hit& hit) {
    if (!forgotten.contains(hit.message)) hits.push_back(hit);
    return hits.size() < question.limit;
  }));
  return hits;
}

namespace {

// One word of one document: where it stands, as FTS5 counts, in which column.
struct Occurrence {
  std::uint32_t document;
  std::uint32_t place;  // 3 bits of column, 29 of place
  std::uint32_t word;
};
constexpr std::uint32_t place_bits = 29;

// All documents of several segments by date, and all their words.
class Gathering {
 public:
  Status take(Database& database, const std::set<Id>& forgotten) {
    const std::uint32_t first = static_cast<std::uint32_t>(documents_.size());
    std::vector<std::uint32_t> numbers;  // by id in the segment, from 1
    ASSIGN_OR_RETURN(Query docs, database.prepare("SELECT m.mailbox, d.message, d.received FROM docs d"
                                                  " JOIN mailboxes m ON m.number = d.mailbox ORDER BY d.id"));
    for (;;) {
      ASSIGN_OR_RETURN(const bool more, docs.step());
      if (!more) break;
      const Hit about = hit_of(docs, 0);
      const bool stays = !forgotten.contains(about.message);
      numbers.push_back(stays ? first + static_cast<std::uint32_t>(kept_) : left_out);
      if (stays) {
        documents_.push_back(about);
        ++kept_;
      }
    }
    kept_ = 0;
    return take_words(database, numbers);
  }

  Status write_into(WordTable& table) {
    std::vector<std::uint32_t> by_date(documents_.size());
    for (std::uint32_t i = 0; i < by_date.size(); ++i) by_date[i] = i;
    std::stable_sort(by_date.begin(), by_date.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return documents_[a].received < documents_[b].received; });
    std::sort(occurrences_.begin(), occurrences_.end(), [](const Occurrence& a, const Occurrence& b) {
      return a.document != b.document ? a.document < b.document : a.place < b.place;
    });
    std::vector<std::size_t> begins(documents_.size() + 1, occurrences_.size());
    for (std::size_t i = occurrences_.size(); i-- > 0;) begins[occurrences_[i].document] = i;
    for (std::size_t i = documents_.size(); i-- > 0;) begins[i] = std::min(begins[i], begins[i + 1]);
    for (const std::uint32_t document : by_date) {
      std::string texts[WordTable::columns];
      for (std::size_t i = begins[document]; i < begins[document + 1]; ++i) {
        std::string& text = texts[occurrences_[i].place >> place_bits];
        if (!text.empty()) text += ' ';
        text += *words_[occurrences_[i].word];
      }
      RETURN_IF_ERROR(table.add_words(documents_[document], texts));
    }
    return done();
  }

 private:
  static constexpr std::uint32_t left_out = ~std::uint32_t{0};

  Status take_words(Database& database, const std::vector<std::uint32_t>& numbers) {
    RETURN_IF_ERROR(database.run("CREATE VIRTUAL TABLE IF NOT EXISTS temp.places USING fts5vocab('main', 'words', 'instance')"));
    static constexpr std::string_view names[] = {"sender", "recipient", "subject", "body", "attachment", "marks"};
    ASSIGN_OR_RETURN(Query places, database.prepare("SELECT term, doc, col, offset FROM temp.places"));
    std::string last;
    std::uint32_t word = 0;
    for (bool any = false;; any = true) {
      ASSIGN_OR_RETURN(const bool more, places.step());
      if (!more) return done();
      if (const std::string_view term = places.bytes(0); !any || term != last) {
        last = term;
        const auto [entry, is_new] = numbers_.try_emplace(last, static_cast<std::uint32_t>(words_.size()));
        if (is_new) words_.push_back(&entry->first);
        word = entry->second;
      }
      const auto id = static_cast<std::uint64_t>(places.number(1));
      const std::size_t column = static_cast<std::size_t>(std::find(std::begin(names), std::end(names), places.bytes(2)) - names);
      const auto place = static_cast<std::uint64_t>(places.number(3));
      if (id == 0 || id > numbers.size() || column >= std::size(names) || place >> place_bits != 0)
        return Error{ErrorKind::corrupt, "index: a word that is nowhere"};
      const std::uint32_t document = numbers[id - 1];
      if (document != left_out)
        occurrences_.push_back({document, static_cast<std::uint32_t>(column << place_bits | place), word});
    }
  }

  std::vector<Hit> documents_;
  std::size_t kept_ = 0;
  std::vector<Occurrence> occurrences_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::vector<const std::string*> words_;
};

}  // namespace

Result<std::uint64_t> Segment::merge(const Place& place, const std::vector<Segment*>& from, const std::set<Id>& forgotten,
                                     Id into) {
  ASSIGN_OR_RETURN(WordTable table, WordTable::make());
  {
    Gathering gathering;
    for (Segment* segment : from) {
      segment->database_.limit_time(Deadline::after(std::chrono::hours(1)));
      RETURN_IF_ERROR(gathering.take(segment->database_, forgotten));
    }
    RETURN_IF_ERROR(gathering.write_into(table));
  }
  const std::uint64_t documents = table.documents();
  RETURN_IF_ERROR(table.write(place, into));
  return documents;
}

Status load_search_tables() {
  ASSIGN_OR_RETURN(WordTable table, WordTable::make());
  Document document;
  document.texts.body = "a word";
  RETURN_IF_ERROR(table.add(document));
  RETURN_IF_ERROR(table.find({"word"}, {}, Deadline::after(std::chrono::seconds(10))));
  return done();
}

}  // namespace mailhold::search
