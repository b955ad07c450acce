#include "features/scanning/checks/inflate.h"

#include <zlib.h>

#include <algorithm>

namespace mailhold::scanning {
namespace {

constexpr std::size_t packed_bytes_max = 1U << 30;
constexpr std::size_t step = 64U << 10;
constexpr int with_gzip_header = 16;

bool begins_another(const z_stream& stream) {
  return stream.avail_in >= 2 && stream.next_in[0] == 0x1F && stream.next_in[1] == 0x8B;
}

// As much as there is already, so that all of it is filled with zeros once. False: that would be more than is wanted.
bool add_room(z_stream& stream, std::string& bytes, std::size_t bytes_max) {
  const std::size_t had = bytes.size();
  if (had >= bytes_max) return false;
  const std::size_t room = std::min(std::max(step, had), bytes_max - had);
  bytes.resize(had + room);
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data() + had);
  stream.avail_out = static_cast<uInt>(room);
  return true;
}

}  // namespace

Unzipped inflate(std::string_view packed, Packing packing, std::size_t bytes_max) {
  Unzipped out;
  z_stream stream{};
  const int window = packing == Packing::gzip ? MAX_WBITS + with_gzip_header : -MAX_WBITS;
  if (::inflateInit2(&stream, window) != Z_OK) return out;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));  // zlib does not write there
  stream.avail_in = static_cast<uInt>(std::min(packed.size(), packed_bytes_max));
  int status = Z_OK;
  while (status == Z_OK) {
    // Room that a member leaves is the next one's: there may be a million of them with nothing inside.
    if (stream.avail_out == 0 && !add_room(stream, out.bytes, bytes_max)) {
      out.too_big = true;
      break;
    }
    status = ::inflate(&stream, Z_NO_FLUSH);
    if (status == Z_OK && stream.avail_in == 0 && stream.avail_out != 0) break;  // the data breaks off
    if (status == Z_STREAM_END && packing == Packing::gzip && begins_another(stream)) status = ::inflateReset(&stream);
  }
  out.bytes.resize(out.bytes.size() - stream.avail_out);
  ::inflateEnd(&stream);
  out.complete = status == Z_STREAM_END;
  return out;
}

std::uint32_t checksum_of(std::string_view bytes) {
  return static_cast<std::uint32_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace mailhold::scanning
