// The bytes between workerd, searchd and the process of a tenant, and those of documents in a journal. A process gets the
// questions of workerd only; what it answers is read as strictly as what comes from outside.
//
// Design: docs/formats/search.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret_text.h"
#include "features/search/document.h"

namespace mailhold::search {

// searchd's one method, for workerd: tenant (16 bytes) -> a socket to the process of that tenant.
inline constexpr std::uint16_t method_open = 1;

// What is asked of a tenant's process: u8, then a body. It answers u8 0 and a body, or u8 1 + ErrorKind and a text.
enum class Ask : std::uint8_t {
  begin = 1,    // Beginning -> nothing
  add = 2,      // Batch -> nothing, once it is durable
  find = 3,     // Question -> hits
  cursors = 4,  // nothing -> cursors
  figures = 5,  // nothing -> Figures
  forget = 6,   // message ids -> nothing, once it is durable
};

struct Beginning {
  std::string region;
  Id tenant;
  std::uint32_t key_version = 0;
  SecretText key;
};

struct Batch {
  Cursor cursor;
  std::vector<Document> documents;
};
inline constexpr std::size_t batch_documents_max = 1024;
inline constexpr std::uint32_t hits_max = 200'000;

std::string encode_ask(Ask ask, std::string_view body);
struct Asked {
  Ask ask = Ask::begin;
  std::string_view body;
};
Result<Asked> parse_ask(std::string_view frame);
std::string encode_answer(const Result<std::string>& answer);
Result<std::string> parse_answer(std::string_view frame);

std::string encode(const Beginning& beginning);
Result<Beginning> parse_beginning(std::string_view bytes);
std::string encode(const Batch& batch);
Result<Batch> parse_batch(std::string_view bytes);  // also limit_exceeded
std::string encode(const Question& question);
Result<Question> parse_question(std::string_view bytes);
std::string encode(const std::vector<Hit>& hits);
Result<std::vector<Hit>> parse_hits(std::string_view bytes);
std::string encode(const std::vector<Cursor>& cursors);
Result<std::vector<Cursor>> parse_cursors(std::string_view bytes);
std::string encode(const Figures& figures);
Result<Figures> parse_figures(std::string_view bytes);
std::string encode(const std::vector<Id>& ids);
Result<std::vector<Id>> parse_ids(std::string_view bytes);

}  // namespace mailhold::search
