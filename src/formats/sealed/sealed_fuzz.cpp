// Rows, compact messages, boxes and contexts from a stranger. Whatever the bytes are, nothing opens that was not sealed; and
// changing a genuine row by the input never makes it open as something else.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "formats/sealed/box.h"
#include "formats/sealed/row_reader.h"
#include "formats/sealed/sealed.h"
#include "fuzz_seeds.h"

using namespace mailhold;

std::vector<std::string> fuzz_seeds() {
  const sealed::Context place{.region = "eu", .tenant = Id::from_bytes("tenant--tenant--"), .object_id = "row", .version = 1};
  const std::string row = sealed::seal(std::string(sealed::key_size, 'x'), place, "plaintext");
  return {place.encode(), row, row.substr(sealed::row_header_size)};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string key(sealed::key_size, 'k');
  static const sealed::Context place{
      .region = "eu", .tenant = Id::from_bytes("tenant--tenant--"), .object_id = "row", .version = 1};
  static const std::string genuine = sealed::seal(key, place, std::string(20'000, 'p'));
  const std::string_view input(reinterpret_cast<const char*>(data), size);

  if (sealed::open(key, place, input) && input != genuine) std::abort();
  if (sealed::open_compact(key, place, input) && input != std::string_view(genuine).substr(sealed::row_header_size)) std::abort();
  if (sealed::open_box(key, place, input)) std::abort();
  (void)sealed::read_row_header(input);
  if (const auto context = sealed::Context::parse(input); context && context->encode() != input) std::abort();

  std::string changed = genuine;
  for (std::size_t at = 0; at + 3 <= input.size() && at < 48; at += 3) {
    const std::size_t where = (std::size_t{data[at]} << 8 | data[at + 1]) % changed.size();
    changed[where] = static_cast<char>(changed[where] ^ data[at + 2]);
  }
  if (changed != genuine && sealed::open(key, place, changed)) std::abort();

  // What is left of it is what was sealed.
  const auto left = sealed::open_compact_remains(key, place, std::string_view(changed).substr(sealed::row_header_size));
  if (left && left->plaintext.size() != 20'000) std::abort();
  for (std::size_t at = 0; left && at < 20'000; at += 500) {
    if (left->has(at, 500) && left->plaintext.substr(at, 500) != std::string(500, 'p')) std::abort();
  }

  // Cut off anywhere.
  const std::size_t kept = size < 2 ? 0 : (std::size_t{data[0]} << 8 | data[1]) % genuine.size();
  if (sealed::open(key, place, std::string_view(genuine).substr(0, kept))) std::abort();

  auto reader = sealed::RowReader::start(key, place, std::string_view(genuine).substr(0, sealed::row_prefix_size), size);
  if (reader) {
    const std::uint64_t last = reader->chunk_count() - 1;
    if (reader->open_chunk(last, input.substr(0, reader->chunk_span(last).bytes))) std::abort();
  }
  return 0;
}
