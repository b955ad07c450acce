// The outer form of what lies in packs and blobs, and the wrapping of data keys. Internal to this room.
//
// Design: docs/formats/store.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "base/secret_text.h"
#include "core/store/message_store.h"
#include "core/store/store_keys.h"
#include "formats/sealed/sealed.h"

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

// Contents in their stored form: each compressed by itself if that helps, and with its lengths, so that several can follow one
// another. An object serves one thread.
class Packing {
 public:
  explicit Packing(Compression compression = Compression::quick);
  ~Packing();
  Packing(const Packing&) = delete;
  Packing& operator=(const Packing&) = delete;
  std::string compress(std::string_view content, bool in_haste = false);
  // Compressed and padded: what is sealed where one content stands alone.
  std::string pack(std::string_view content, bool in_haste = false);

 private:
  struct State;
  State* const state_;
};
// Zeros behind it, so that its length tells less.
std::string padded(std::string stored);

// The next stored form, as it lies in the bytes that are read. Whether that much was there the reader says.
std::string_view next_stored(ByteReader& reader);
// How long the next stored form is by its beginning, of which stored_head_bytes are there; it may end behind what is read.
inline constexpr std::size_t stored_head_bytes = 1 + 4 + 4;
std::size_t stored_size(ByteReader& reader);
// corrupt if something else than padding is left, or more was read than was there.
Status expect_padding(const ByteReader& reader);
// The content of one stored form, padded or not. corrupt; limit_exceeded if it says it is larger than content_bytes_max.
Result<std::string> unpack(std::string_view packed, std::uint64_t content_bytes_max);

// The bytes in front of the sealed ones. A bundle has at most bundle_messages_most ids.
std::string encode_object_head(const ObjectName& name);
struct ObjectView {
  ObjectName name;
  std::string_view sealed;
};
Result<ObjectView> parse_object(std::string_view bytes);  // corrupt

std::string seal_object(const std::string& region, const ObjectName& name, std::string_view data_key, std::string_view packed);
// What was sealed. corrupt if the bytes are not this object under this key. A part's name does not matter here.
Result<std::string> open_object(const std::string& region, const ObjectName& name, std::string_view data_key,
                                std::string_view bytes);

// What can still be read of one that is damaged; `bytes` are as long as it was.
Result<sealed::Remains> open_object_remains(const std::string& region, const ObjectName& name, std::string_view data_key,
                                            std::string_view bytes);

std::string wrap_key(const std::string& region, Id tenant, Id object, Epoch epoch, const EpochKey& key,
                     std::string_view data_key);
Result<SecretText> unwrap_key(const std::string& region, Id tenant, Id object, Epoch epoch, const EpochKey& key,
                              std::string_view wrap);

}  // namespace mailhold::store
