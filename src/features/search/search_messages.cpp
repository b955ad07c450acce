#include "features/search/search_messages.h"

#include "base/bytes.h"
#include "base/utf8.h"

namespace mailhold::search {
namespace {

constexpr std::size_t words_bytes_max = 64U << 10;  // a query of 4 KiB, with its quotation marks and columns
constexpr std::size_t cursor_bytes = 2 * Id::size + 8;
constexpr std::uint8_t with_attachment = 1, with_unreadable = 2;

Error malformed() { return {ErrorKind::corrupt, "a malformed message about search"}; }

void write(ByteWriter& writer, const Cursor& cursor) {
  writer.raw(cursor.mailbox.bytes()).u64(static_cast<std::uint64_t>(cursor.since)).raw(cursor.item.bytes());
}

Cursor read_cursor(ByteReader& reader) {
  Cursor cursor;
  cursor.mailbox = Id::from_bytes(reader.raw(Id::size));
  cursor.since = static_cast<Milliseconds>(reader.u64());
  cursor.item = Id::from_bytes(reader.raw(Id::size));
  return cursor;
}

void write(ByteWriter& writer, const Document& document) {
  const Texts& texts = document.texts;
  writer.raw(document.mailbox.bytes()).raw(document.message.bytes()).u64(static_cast<std::uint64_t>(document.received));
  writer.u8(static_cast<std::uint8_t>((document.has_attachment ? with_attachment : 0) +
                                      (document.has_unreadable ? with_unreadable : 0)));
  writer.text(texts.senders).text(texts.recipients).text(texts.subject).text(texts.body);
  writer.text(texts.attachment_names).text(texts.attachment_text);
}

Document read_document(ByteReader& reader) {
  Document document;
  document.mailbox = Id::from_bytes(reader.raw(Id::size));
  document.message = Id::from_bytes(reader.raw(Id::size));
  document.received = static_cast<Milliseconds>(reader.u64());
  const std::uint8_t marks = reader.u8();
  document.has_attachment = (marks & with_attachment) != 0;
  document.has_unreadable = (marks & with_unreadable) != 0;
  Texts& texts = document.texts;
  for (std::string* text :
       {&texts.senders, &texts.recipients, &texts.subject, &texts.body, &texts.attachment_names, &texts.attachment_text})
    *text = reader.text();
  return document;
}

constexpr std::size_t document_bytes_min = 2 * Id::size + 8 + 1 + 6 * 4;

}  // namespace

std::string encode_ask(Ask ask, std::string_view body) {
  return ByteWriter().u8(static_cast<std::uint8_t>(ask)).raw(body).take();
}

Result<Asked> parse_ask(std::string_view frame) {
  if (frame.empty() || frame[0] < static_cast<char>(Ask::begin) || frame[0] > static_cast<char>(Ask::forget)) return malformed();
  return Asked{static_cast<Ask>(frame[0]), frame.substr(1)};
}

std::string encode_answer(const Result<std::string>& answer) {
  if (answer) return ByteWriter().u8(0).raw(*answer).take();
  const Error& error = answer.error();
  return ByteWriter().u8(static_cast<std::uint8_t>(1 + static_cast<int>(error.kind))).raw(error.detail).take();
}

Result<std::string> parse_answer(std::string_view frame) {
  if (frame.empty()) return malformed();
  const auto outcome = static_cast<std::uint8_t>(frame[0]);
  if (outcome == 0) return std::string(frame.substr(1));
  if (outcome > 1 + static_cast<int>(ErrorKind::bug)) return malformed();
  return Error{static_cast<ErrorKind>(outcome - 1), std::string(frame.substr(1, 500))};
}

std::string encode(const Beginning& beginning) {
  ByteWriter writer;
  writer.text(beginning.region).raw(beginning.tenant.bytes()).u32(beginning.key_version).text(beginning.key.reveal());
  return writer.take();
}

Result<Beginning> parse_beginning(std::string_view bytes) {
  ByteReader reader(bytes);
  Beginning beginning;
  beginning.region = reader.text();
  beginning.tenant = Id::from_bytes(reader.raw(Id::size));
  beginning.key_version = reader.u32();
  beginning.key = SecretText::copy_of(reader.text());
  if (!reader.finish() || beginning.tenant.is_none() || beginning.key.size() != 32) return malformed();
  return beginning;
}

std::string encode(const Batch& batch) {
  ByteWriter writer;
  write(writer, batch.cursor);
  writer.u32(static_cast<std::uint32_t>(batch.documents.size()));
  for (const Document& document : batch.documents) write(writer, document);
  return writer.take();
}

Result<Batch> parse_batch(std::string_view bytes) {
  ByteReader reader(bytes);
  Batch batch;
  batch.cursor = read_cursor(reader);
  std::uint32_t left = reader.count(document_bytes_min);
  if (left > batch_documents_max) return malformed();
  for (; left > 0; --left) {
    batch.documents.push_back(read_document(reader));
    if (batch.documents.back().texts.bytes() > document_text_bytes_max) return malformed();
  }
  if (!reader.finish()) return malformed();
  return batch;
}

std::string encode(const Question& question) {
  ByteWriter writer;
  writer.text(question.words).u64(static_cast<std::uint64_t>(question.from)).u64(static_cast<std::uint64_t>(question.until));
  writer.u32(question.limit);
  return writer.take();
}

Result<Question> parse_question(std::string_view bytes) {
  ByteReader reader(bytes);
  Question question;
  question.words = reader.text();
  question.from = static_cast<Milliseconds>(reader.u64());
  question.until = static_cast<Milliseconds>(reader.u64());
  question.limit = reader.u32();
  const bool bounded = question.words.size() <= words_bytes_max && question.limit <= hits_max;
  if (!reader.finish() || !bounded || question.words.empty() || !is_utf8(question.words)) return malformed();
  return question;
}

std::string encode(const std::vector<Hit>& hits) {
  ByteWriter writer;
  writer.u32(static_cast<std::uint32_t>(hits.size()));
  for (const Hit& hit : hits)
    writer.raw(hit.mailbox.bytes()).raw(hit.message.bytes()).u64(static_cast<std::uint64_t>(hit.received));
  return writer.take();
}

Result<std::vector<Hit>> parse_hits(std::string_view bytes) {
  ByteReader reader(bytes);
  std::vector<Hit> hits;
  std::uint32_t left = reader.count(2 * Id::size + 8);
  if (left > hits_max) return malformed();
  for (; left > 0; --left) {
    Hit hit;
    hit.mailbox = Id::from_bytes(reader.raw(Id::size));
    hit.message = Id::from_bytes(reader.raw(Id::size));
    hit.received = static_cast<Milliseconds>(reader.u64());
    hits.push_back(hit);
  }
  if (!reader.finish()) return malformed();
  return hits;
}

std::string encode(const std::vector<Cursor>& cursors) {
  ByteWriter writer;
  writer.u32(static_cast<std::uint32_t>(cursors.size()));
  for (const Cursor& cursor : cursors) write(writer, cursor);
  return writer.take();
}

Result<std::vector<Cursor>> parse_cursors(std::string_view bytes) {
  ByteReader reader(bytes);
  std::vector<Cursor> cursors;
  for (std::uint32_t left = reader.count(cursor_bytes); left > 0; --left) cursors.push_back(read_cursor(reader));
  if (!reader.finish()) return malformed();
  return cursors;
}

std::string encode(const Figures& figures) {
  return ByteWriter().u64(figures.documents).u32(figures.segments).u64(figures.bytes).take();
}

Result<Figures> parse_figures(std::string_view bytes) {
  ByteReader reader(bytes);
  Figures figures;
  figures.documents = reader.u64();
  figures.segments = reader.u32();
  figures.bytes = reader.u64();
  if (!reader.finish()) return malformed();
  return figures;
}

std::string encode(const std::vector<Id>& ids) {
  ByteWriter writer;
  writer.u32(static_cast<std::uint32_t>(ids.size()));
  for (const Id& id : ids) writer.raw(id.bytes());
  return writer.take();
}

Result<std::vector<Id>> parse_ids(std::string_view bytes) {
  ByteReader reader(bytes);
  std::vector<Id> ids;
  for (std::uint32_t left = reader.count(Id::size); left > 0; --left) ids.push_back(Id::from_bytes(reader.raw(Id::size)));
  if (!reader.finish()) return malformed();
  return ids;
}

}  // namespace mailhold::search
