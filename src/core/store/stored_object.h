// The outer form of what lies in packs and blobs, and the wrapping of data keys. Internal to this room.
//
// Design: docs/formats/store.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "base/secret_text.h"
#include "core/store/bundle.h"
#include "core/store/message_store.h"
#include "core/store/store_keys.h"
#include "formats/sealed/context.h"

namespace mailhold::store {

enum class ObjectKind : std::uint8_t { message = 1, part = 2, bundle = 3 };

struct ObjectName {
  ObjectKind kind = ObjectKind::message;
  Id tenant;
  Id object;
  std::string_view name;  // a message's id, a part's token, or the ids of a bundle's messages, joined
};

// Rises with time, so that rows that are written together lie together.
Id new_object_id(Milliseconds now, std::string_view random);  // 10 random bytes
inline constexpr std::size_t object_id_random_bytes = 10;

// Compressed if that helps, padded; and back. An object serves one thread.
class Packing {
 public:
  explicit Packing(Compression compression = Compression::quick);
  ~Packing();
  Packing(const Packing&) = delete;
  Packing& operator=(const Packing&) = delete;
  std::string pack(std::string_view content);

 private:
  struct State;
  State* const state_;
};
// corrupt; limit_exceeded if the content says it is larger than content_bytes_max.
Result<std::string> unpack(std::string_view packed, std::uint64_t content_bytes_max);

// The bytes in front of the sealed ones. A bundle has at most bundle_messages_most ids.
std::string encode_object_head(const ObjectName& name);
struct ObjectView {
  ObjectName name;
  std::string_view sealed;
};
Result<ObjectView> parse_object(std::string_view bytes);  // corrupt

std::string seal_object(const std::string& region, const ObjectName& name, std::string_view data_key, std::string_view packed);
// corrupt if the bytes are not this object under this key. A part's name does not matter here.
Result<std::string> open_object(const std::string& region, const ObjectName& name, std::string_view data_key,
                                std::string_view bytes, std::uint64_t content_bytes_max);

std::string wrap_key(const std::string& region, Id tenant, Id object, Epoch epoch, const EpochKey& key,
                     std::string_view data_key);
Result<SecretText> unwrap_key(const std::string& region, Id tenant, Id object, Epoch epoch, const EpochKey& key,
                              std::string_view wrap);

}  // namespace mailhold::store
