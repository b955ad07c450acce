#include <cstdlib>

#include "features/search/search_messages.h"
#include "fuzz_seeds.h"

using namespace mailhold;

std::vector<std::string> fuzz_seeds() {
  const Id id = Id::random();
  search::Document document{id, id, 5, true, {"ann", "bob", "subject", "body", "a.txt", "text"}, true};
  return {search::encode_ask(search::Ask::add, search::encode(search::Batch{{id, 7, id}, {document, document}})),
          search::encode_ask(search::Ask::find, search::encode(search::Question{"\"a\"", 1, 2, 3})),
          search::encode(search::Batch{{id, 7, id}, {document}}),
          search::encode(search::Question{"\"a\"", 1, 2, 3}),
          search::encode_answer(search::encode(std::vector<search::Hit>{{id, id, 5}, {id, id, 6}})),
          search::encode(std::vector<search::Hit>{{id, id, 5}}),
          search::encode(std::vector<search::Cursor>{{id, 1, id}}),
          search::encode(search::Figures{1, 2, 3}),
          search::encode_answer(Error{ErrorKind::corrupt, "why"}),
          search::encode(search::Beginning{"eu", id, 1, SecretText::copy_of(std::string(32, 'k'))})};
}

template <class Value>
void same_again(const Result<Value>& value, std::string_view bytes) {
  if (value && search::encode(*value) != bytes) std::abort();
}

// Both ends of what workerd and a tenant's process say to each other, and records of a journal.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)search::parse_answer(bytes);
  (void)search::parse_batch(bytes);
  same_again(search::parse_question(bytes), bytes);
  same_again(search::parse_hits(bytes), bytes);
  same_again(search::parse_cursors(bytes), bytes);
  same_again(search::parse_figures(bytes), bytes);
  same_again(search::parse_ids(bytes), bytes);
  same_again(search::parse_beginning(bytes), bytes);
  if (const auto asked = search::parse_ask(bytes)) {
    if (search::encode_ask(asked->ask, asked->body) != bytes) std::abort();
    (void)search::parse_batch(asked->body);
  }
  return 0;
}
