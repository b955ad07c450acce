#include "platform/dns/record_decoding.h"

#include "base/bytes.h"

namespace mailhold::dns {
namespace {

// An uncompressed name, RFC 1035 section 3.1; empty for the root.
std::optional<std::string> decode_name(std::string_view data) {
  ByteReader reader(data);
  std::string name;
  for (;;) {
    const std::uint8_t length = reader.u8();
    if (!reader.ok() || length > 63) return std::nullopt;
    if (length == 0) break;
    const std::string_view label = reader.raw(length);
    if (label.find('.') != std::string_view::npos) return std::nullopt;  // a dot inside a label would read as two labels
    if (!name.empty()) name += '.';
    name += label;
  }
  if (!reader.finish()) return std::nullopt;
  return name.empty() ? name : normal_name(name);
}

std::optional<std::string> decode_strings(std::string_view data) {  // RFC 1035 section 3.3.14
  ByteReader reader(data);
  std::string text;
  while (!reader.rest().empty()) {
    text += reader.raw(reader.u8());
    if (!reader.ok()) return std::nullopt;
  }
  return text;
}

std::optional<Record> named(std::optional<std::string> name, std::uint16_t preference = 0) {
  return name ? std::optional<Record>({std::move(*name), preference}) : std::nullopt;
}

}  // namespace

std::optional<Record> decode_record(RecordType type, std::string_view data) {
  if (data.size() > record_bytes_max) return std::nullopt;
  switch (type) {
    case RecordType::a: return data.size() == 4 ? named(std::string(data)) : std::nullopt;
    case RecordType::aaaa: return data.size() == 16 ? named(std::string(data)) : std::nullopt;
    case RecordType::tlsa: return data.size() > 3 ? named(std::string(data)) : std::nullopt;
    case RecordType::txt: return named(decode_strings(data));
    case RecordType::cname:
    case RecordType::ptr: {
      const std::optional<std::string> name = decode_name(data);
      return name && !name->empty() ? named(name) : std::nullopt;
    }
    case RecordType::mx: {
      if (data.size() < 3) return std::nullopt;
      const auto preference =
          static_cast<std::uint16_t>((static_cast<unsigned char>(data[0]) << 8) | static_cast<unsigned char>(data[1]));
      return named(decode_name(data.substr(2)), preference);
    }
  }
  return std::nullopt;
}

}  // namespace mailhold::dns
