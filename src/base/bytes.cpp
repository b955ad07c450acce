#include "base/bytes.h"

namespace mailhold {
namespace {

template <class Number>
void append_big_endian(std::string& bytes, Number value) {
  for (int shift = static_cast<int>(sizeof(Number)) * 8 - 8; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>((value >> shift) & 0xff));
  }
}

template <class Number>
Number from_big_endian(std::string_view bytes) {
  Number value = 0;
  for (const char byte : bytes) value = static_cast<Number>((std::uint64_t{value} << 8) | static_cast<unsigned char>(byte));
  return value;
}

}  // namespace

ByteWriter& ByteWriter::u8(std::uint8_t value) {
  bytes_.push_back(static_cast<char>(value));
  return *this;
}
ByteWriter& ByteWriter::u16(std::uint16_t value) {
  append_big_endian(bytes_, value);
  return *this;
}
ByteWriter& ByteWriter::u32(std::uint32_t value) {
  append_big_endian(bytes_, value);
  return *this;
}
ByteWriter& ByteWriter::u64(std::uint64_t value) {
  append_big_endian(bytes_, value);
  return *this;
}
ByteWriter& ByteWriter::raw(std::string_view bytes) {
  bytes_.append(bytes);
  return *this;
}
ByteWriter& ByteWriter::text(std::string_view bytes) { return u32(static_cast<std::uint32_t>(bytes.size())).raw(bytes); }

bool ByteReader::take(std::size_t count, std::string_view& out) {
  if (!ok_ || rest_.size() < count) {
    ok_ = false;
    rest_ = {};
    return false;
  }
  out = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return true;
}

std::uint8_t ByteReader::u8() {
  std::string_view bytes;
  return take(1, bytes) ? from_big_endian<std::uint8_t>(bytes) : std::uint8_t{0};
}
std::uint16_t ByteReader::u16() {
  std::string_view bytes;
  return take(2, bytes) ? from_big_endian<std::uint16_t>(bytes) : std::uint16_t{0};
}
std::uint32_t ByteReader::u32() {
  std::string_view bytes;
  return take(4, bytes) ? from_big_endian<std::uint32_t>(bytes) : 0;
}
std::uint64_t ByteReader::u64() {
  std::string_view bytes;
  return take(8, bytes) ? from_big_endian<std::uint64_t>(bytes) : 0;
}
std::string_view ByteReader::raw(std::size_t count) {
  std::string_view bytes;
  take(count, bytes);
  return bytes;
}
std::string_view ByteReader::text() { return raw(u32()); }

std::uint32_t ByteReader::count(std::size_t item_bytes_min) {
  const std::uint32_t items = u32();
  if (items > rest_.size() / (item_bytes_min == 0 ? 1 : item_bytes_min)) {
    ok_ = false;
    rest_ = {};
    return 0;
  }
  return items;
}

Status ByteReader::finish() const {
  if (!ok_) return Error{ErrorKind::corrupt, "bytes end too early"};
  if (!rest_.empty()) return Error{ErrorKind::corrupt, "bytes left over at the end"};
  return done();
}

}  // namespace mailhold
