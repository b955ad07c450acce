#include "features/mailboxes/imap/imap_mark.h"

#include "base/bytes.h"
#include "base/text.h"

namespace mailhold::mailboxes {
namespace {

constexpr std::uint8_t mark_version = 1;

}  // namespace

std::string write_mark(const ImapMark& mark) {
  ByteWriter writer;
  writer.u8(mark_version).u32(mark.uid_validity).u32(mark.uid_last).u64(mark.modseq).u64(mark.count);
  writer.u8(mark.is_reading ? 1 : 0).u8(mark.must_list ? 1 : 0);
  return writer.take();
}

ImapMark parse_mark(std::string_view bytes) {
  ByteReader reader(bytes);
  ImapMark mark;
  const std::uint8_t version = reader.u8();
  mark.uid_validity = reader.u32();
  mark.uid_last = reader.u32();
  mark.modseq = reader.u64();
  mark.count = reader.u64();
  mark.is_reading = reader.u8() != 0;
  mark.must_list = reader.u8() != 0;
  if (version != mark_version || !reader.finish()) return ImapMark{};
  return mark;
}

std::string item_id(std::uint32_t uid_validity, std::uint32_t uid) {
  return std::to_string(uid_validity) + "." + std::to_string(uid);
}

std::uint32_t uid_of(std::string_view id, std::uint32_t uid_validity) {
  const std::size_t dot = id.find('.');
  if (dot == std::string_view::npos) return 0;
  const auto validity = to_number(id.substr(0, dot));
  const auto uid = to_number(id.substr(dot + 1));
  if (!validity || !uid || *validity != uid_validity || *uid > 0xffffffffU) return 0;
  return static_cast<std::uint32_t>(*uid);
}

}  // namespace mailhold::mailboxes
