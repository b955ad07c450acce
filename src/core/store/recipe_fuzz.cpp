#include <cstdlib>

#include "core/store/recipe.h"
#include "core/store/stored_object.h"
#include "core/store/trace_block.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  using namespace mailhold::store;
  const mailhold::Id id = mailhold::Id::from_bytes("tenant--tenant--");
  const Base64Lines lines;
  const Recipe recipe{
      5 + 7 + base64_lines_size(300, lines),
      std::string(32, 'h'),
      {{Piece::Kind::inline_text, 5, {}, {}}, {Piece::Kind::part, 7, id, {}}, {Piece::Kind::base64_part, 300, id, lines}},
      "hello"};
  std::string base64;
  append_base64_lines(base64, std::string(150, 'b'), lines);
  const TraceEvent event{id, id, 1000, {"delivered", "mx.example"}};
  const TraceEvent* const events[] = {&event, &event};
  Packing packing, thorough(Compression::thorough);
  return {encode(recipe),
          base64,
          packing.pack(std::string(500, 'c')),
          packing.pack("short"),
          thorough.pack("Subject: Re: [" + std::string(500, 'c')),
          encode_object_head({ObjectKind::message, id, id, id.bytes()}) + "sealed",
          encode_object_head({ObjectKind::part, id, id, std::string(32, 't')}) + "sealed",
          encode_events(events)};
}

// Recipes, packed content, object heads and blocks of events; and base64 bodies, which come from strangers.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold::store;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto recipe = parse_recipe(bytes)) {
    const std::string again = encode(*recipe);
    if (size == 0 || (bytes[0] == again[0] && again != bytes)) std::abort();
    if (const auto read = parse_recipe(again); !read || read->pieces != recipe->pieces) std::abort();
  }
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
