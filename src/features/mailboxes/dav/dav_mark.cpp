#include "features/mailboxes/dav/dav_mark.h"

#include "base/bytes.h"

namespace mailhold::mailboxes {
namespace {

constexpr std::string_view mark_magic = "DAV";
constexpr std::uint8_t mark_version = 1;
constexpr std::size_t token_bytes_max = 16U << 10;

}  // namespace

std::string write_mark(const DavMark& mark) {
  const auto kept = [](const std::string& text) {
    return text.size() > token_bytes_max ? std::string_view() : std::string_view(text);
  };
  ByteWriter writer;
  writer.raw(mark_magic).u8(mark_version).u8(mark.is_listing ? 1 : 0);
  writer.text(mark.last_name).text(kept(mark.sync_token)).text(kept(mark.ctag));
  return writer.take();
}

DavMark parse_dav_mark(std::string_view bytes) {
  ByteReader reader(bytes);
  DavMark mark;
  const bool is_ours = reader.raw(mark_magic.size()) == mark_magic && reader.u8() == mark_version;
  mark.is_listing = reader.u8() != 0;
  mark.last_name = reader.text();
  mark.sync_token = reader.text();
  mark.ctag = reader.text();
  return is_ours && reader.finish() ? mark : DavMark{};
}

}  // namespace mailhold::mailboxes
