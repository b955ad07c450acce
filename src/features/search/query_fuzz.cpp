#include <cstdlib>

#include "features/search/query.h"
#include "features/search/segment.h"
#include "fuzz_seeds.h"

using namespace mailhold;

std::vector<std::string> fuzz_seeds() {
  return {"report \"annual budget\" -draft invoi*", "from:ann@example.com to:bob subject:\"a b\" attachment:plan",
          "folder:\"Projects/Old\" after:2026-01-02 before:2026-02-01T10:00:00Z has:attachment", "größe -has:attachment"};
}
std::vector<std::string> fuzz_words() {
  return {"from:",          "to:", "subject:", "attachment:", "folder:",   "before:", "after:",
          "has:attachment", "\"",  " -",       "* ",          "2026-01-01"};
}

// Whatever parses is a question that SQLite takes, and asks for no mark that was typed.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  static auto table = [] {
    auto made = search::WordTable::make();
    if (!made) std::abort();
    search::Document document;
    document.message = Id::random();
    document.texts.body = "report budget";
    if (!made->add(document)) std::abort();
    return std::move(*made);
  }();
  const auto parsed = search::parse_query({reinterpret_cast<const char*>(data), size});
  if (!parsed) {
    if (parsed.error().kind != ErrorKind::invalid_input) std::abort();
    return 0;
  }
  if (!table.find(parsed->question({}, 10), {}, Deadline::after(std::chrono::seconds(5)))) std::abort();
  return 0;
}
