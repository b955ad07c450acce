#include <cstdlib>

#include "core/store/recipe.h"
#include "core/store/stored_object.h"
#include "core/store/trace_block.h"

// Recipes, packed content, object heads and blocks of events; and base64 bodies, which come from strangers.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold::store;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto recipe = parse_recipe(bytes); recipe && encode(*recipe) != bytes) std::abort();
  DecodedBody decoded;
  if (decode_base64_lines(bytes, decoded)) {
    std::string again;
    append_base64_lines(again, decoded.bytes, decoded.lines);
    if (again != bytes || base64_lines_size(decoded.bytes.size(), decoded.lines) != bytes.size()) std::abort();
  }
  if (const auto content = unpack(bytes, 1U << 20); content && content->size() > 1U << 20) std::abort();
  if (const auto object = parse_object(bytes); object && object->sealed.size() > size) std::abort();
  static_cast<void>(visit_newest_first(bytes, [](const TraceView&) { return mailhold::segments::Visit::go_on; }));
  return 0;
}
