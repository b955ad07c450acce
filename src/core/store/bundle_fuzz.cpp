// What is in a bundle, and heads of objects: what is taken for one is what an encoder writes, and padding. The first byte is how
// many messages the head spoke of.
#include "core/store/bundle.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "core/store/stored_object.h"
#include "fuzz_seeds.h"

using namespace mailhold::store;

std::vector<std::string> fuzz_seeds() {
  const mailhold::Id id = mailhold::Id::from_bytes("tenant--tenant--");
  const std::string ids = join_ids({id, id, id});
  Packing packing(Compression::thorough);
  const std::string one = packing.compress("one"), long_one = packing.compress(std::string(300, 'c')),
                    none = packing.compress("");
  return {"\3" + encode_bundle({one, none, long_one}), "\1" + encode_bundle({long_one}),
          encode_object_head({ObjectKind::bundle, id, id, ids}) + "sealed",
          encode_object_head({ObjectKind::message, id, id, id.bytes()}) + "sealed"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto object = parse_object(bytes); object && encode_object_head(object->name) + std::string(object->sealed) != bytes)
    std::abort();
  if (size == 0) return 0;
  const auto contents = parse_bundle(bytes.substr(1), data[0]);
  // Of one of which all is left it is the same, and of others as many.
  constexpr std::size_t chunk = mailhold::sealed::chunk_size;
  mailhold::sealed::Remains remains{std::string(bytes.substr(1)), std::vector<bool>(size / chunk + 1, true)};
  const std::vector<mailhold::Id> messages(std::min<std::size_t>(data[0], bundle_messages_most));
  if (contents && parse_remains(remains, messages, {}).value() != *contents) std::abort();
  remains.opens[data[0] % remains.opens.size()] = false;
  const auto anything = [](mailhold::Id, const Recipe&) -> mailhold::Result<bool> { return true; };
  if (parse_remains(remains, messages, anything).value().size() != messages.size()) std::abort();
  if (!contents) return 0;
  if (contents->size() != data[0] || contents->size() > bundle_messages_most) std::abort();
  std::string joined;
  for (const std::string& stored : *contents) {
    joined += stored;
    if (const auto content = unpack(stored, bundled_message_bytes_max); content && content->size() > bundled_message_bytes_max)
      std::abort();
  }
  joined.resize(std::max(joined.size(), size - 1), '\0');
  if (joined != bytes.substr(1)) std::abort();
  return 0;
}
