// Bytes on the wire and on disk: big-endian integers and length-prefixed strings,
// the one encoding of all frames between our processes and all records we write.
// A string is a byte string throughout the project; it holds text only where named so.
//
// ByteReader never reads past its end: the first short read marks it as failed, every
// later read gives zero or empty, and finish() reports it. Check finish() before use.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mailhold {

class ByteWriter {
 public:
  ByteWriter& u8(std::uint8_t value);
  ByteWriter& u16(std::uint16_t value);
  ByteWriter& u32(std::uint32_t value);
  ByteWriter& u64(std::uint64_t value);
  ByteWriter& raw(std::string_view bytes);   // no length
  ByteWriter& text(std::string_view bytes);  // u32 length, then the bytes
  const std::string& view() const { return bytes_; }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t u8();
  std::uint16_t u16();
  std::uint32_t u32();
  std::uint64_t u64();
  std::string_view raw(std::size_t count);  // a view into the input
  std::string_view text();                  // u32 length, then the bytes; a view into the input

  // A count of items that each take at least `item_bytes_min`: an impossible count fails the reader.
  std::uint32_t count(std::size_t item_bytes_min);

  bool ok() const { return ok_; }
  std::string_view rest() const { return rest_; }
  // corrupt unless every read succeeded and nothing is left over.
  Status finish() const;

 private:
  bool take(std::size_t count, std::string_view& out);
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace mailhold
