#include "formats/ldap/ber.h"

namespace mailhold::ldap {
namespace {

struct Header {
  std::size_t size = 0;  // of tag and length
  std::size_t content = 0;
};

// Nothing: more bytes are needed. An error: a length that is indefinite or too long.
Result<std::optional<Header>> header_of(std::string_view bytes) {
  if (bytes.size() < 2) return std::optional<Header>();
  if ((static_cast<unsigned char>(bytes[0]) & 0x1f) == 0x1f) return Error{ErrorKind::invalid_input, "a BER tag of many bytes"};
  const auto first = static_cast<unsigned char>(bytes[1]);
  if (first < 0x80) return std::optional(Header{2, first});
  const std::size_t count = first & 0x7f;
  if (count == 0 || count > 4) return Error{ErrorKind::invalid_input, "a BER length that LDAP does not allow"};
  if (bytes.size() < 2 + count) return std::optional<Header>();
  std::size_t length = 0;
  for (std::size_t i = 0; i < count; ++i) length = length << 8 | static_cast<unsigned char>(bytes[2 + i]);
  return std::optional(Header{2 + count, length});
}

}  // namespace

Result<std::optional<std::size_t>> element_size(std::string_view bytes) {
  ASSIGN_OR_RETURN(const std::optional<Header> header, header_of(bytes));
  if (!header) return std::optional<std::size_t>();
  return std::optional(header->size + header->content);
}

std::optional<Element> BerReader::next() {
  const auto header = header_of(rest_);
  if (!header || !*header || (*header)->content > rest_.size() - (*header)->size) {
    rest_ = {};
    return std::nullopt;
  }
  Element element{static_cast<std::uint8_t>(rest_[0]), rest_.substr((*header)->size, (*header)->content)};
  rest_.remove_prefix((*header)->size + (*header)->content);
  return element;
}

std::optional<Element> BerReader::next(std::uint8_t tag) {
  const auto element = next();
  return element && element->tag == tag ? element : std::nullopt;
}

std::optional<std::int64_t> BerReader::number(std::uint8_t tag) {
  const auto element = next(tag);
  if (!element || element->content.empty() || element->content.size() > 4) return std::nullopt;
  std::int64_t value = static_cast<signed char>(element->content[0]);
  for (const char byte : element->content.substr(1)) value = value * 256 + static_cast<unsigned char>(byte);
  return value;
}

std::string element(std::uint8_t tag, std::string_view content) {
  std::string out(1, static_cast<char>(tag));
  const std::size_t size = content.size();
  if (size < 0x80) {
    out += static_cast<char>(size);
  } else {
    out += static_cast<char>(0x84);
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(size >> shift & 0xff);
  }
  return out.append(content);
}

std::string integer(std::uint8_t tag, std::uint32_t value) {
  std::string content;
  for (int shift = 24; shift >= 0; shift -= 8) {
    const auto byte = static_cast<char>(value >> shift & 0xff);
    if (!content.empty() || byte != 0 || shift == 0) content += byte;
  }
  if (static_cast<signed char>(content[0]) < 0) content.insert(0, 1, '\0');
  return element(tag, content);
}

}  // namespace mailhold::ldap
