#include "core/store/bundle.h"

#include "formats/sealed/padding.h"

namespace mailhold::store {

std::string encode_bundle(const std::vector<std::string_view>& stored) {
  std::string joined;
  for (const std::string_view each : stored) joined += each;
  return padded(std::move(joined));
}

Result<std::vector<std::string>> parse_bundle(std::string_view bytes, std::size_t count) {
  if (count > bundle_messages_most) return Error{ErrorKind::corrupt, "a bundle of too many messages"};
  if (bytes.size() > sealed::padded_length(bundle_bytes_max))
    return Error{ErrorKind::limit_exceeded, "a bundle of " + std::to_string(bytes.size()) + " bytes"};
  ByteReader reader(bytes);
  std::vector<std::string> contents;
  for (std::size_t i = 0; i < count; ++i) contents.emplace_back(next_stored(reader));
  RETURN_IF_ERROR(expect_padding(reader));
  return contents;
}

std::string join_ids(const std::vector<Id>& messages) {
  std::string joined;
  for (const Id& message : messages) joined += message.bytes();
  return joined;
}

std::vector<Id> split_ids(std::string_view joined) {
  std::vector<Id> messages;
  for (std::size_t at = 0; at + Id::size <= joined.size(); at += Id::size)
    messages.push_back(Id::from_bytes(joined.substr(at, Id::size)));
  return messages;
}

}  // namespace mailhold::store
