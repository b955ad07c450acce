#include "core/store/bundle.h"

#include "base/bytes.h"

namespace mailhold::store {
namespace {

constexpr std::uint8_t format_version = 1;

}  // namespace

std::string encode_bundle(const std::vector<std::string_view>& contents) {
  ByteWriter writer;
  writer.u8(format_version);
  for (const std::string_view content : contents) writer.u32(static_cast<std::uint32_t>(content.size()));
  for (const std::string_view content : contents) writer.raw(content);
  return writer.take();
}

Result<std::vector<std::string>> parse_bundle(std::string_view bytes, std::size_t count) {
  ByteReader reader(bytes);
  if (reader.u8() != format_version) return Error{ErrorKind::unsupported, "a bundle of a format that is not known here"};
  if (count > bundle_messages_most) return Error{ErrorKind::corrupt, "a bundle of too many messages"};
  std::vector<std::uint32_t> lengths;
  for (std::size_t i = 0; i < count; ++i) lengths.push_back(reader.u32());
  std::vector<std::string> contents;
  for (const std::uint32_t length : lengths) contents.emplace_back(reader.raw(length));
  RETURN_IF_ERROR(reader.finish());
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
