#include "formats/sealed/sealed.h"

#include "base/bytes.h"
#include "base/random.h"
#include "formats/sealed/chunks.h"

namespace mailhold::sealed {
namespace {

constexpr std::string_view magic = "CB01";
constexpr std::uint8_t algorithm_cobblestone_256 = 1;

struct Salt {
  char bytes[salt_size];
  Salt() { fill_random(bytes, sizeof bytes); }
  std::string_view view() const { return {bytes, sizeof bytes}; }
};

// The message behind a row's header, once the header says what the context says.
Result<std::string_view> message_of(const Context& context, std::string_view row) {
  RETURN_IF_ERROR(check_row_header(context, row));
  return row.substr(row_header_size);
}

}  // namespace

std::size_t compact_size(std::size_t plaintext_bytes) {
  return prefix_size + plaintext_bytes + (plaintext_bytes / chunk_size + 1) * tag_size;
}

std::size_t row_size(std::size_t plaintext_bytes) { return row_header_size + compact_size(plaintext_bytes); }

std::string row_header(const Context& context) {
  ByteWriter header;
  header.raw(magic).u8(algorithm_cobblestone_256).raw(context.key_id.bytes()).u32(context.key_version).u64(context.version);
  return header.take();
}

Status check_row_header(const Context& context, std::string_view row) {
  ASSIGN_OR_RETURN(const RowHeader header, read_row_header(row));
  const bool same =
      header.key_id == context.key_id && header.key_version == context.key_version && header.version == context.version;
  return same ? done() : Status(does_not_open());
}

void append_sealed(std::string& out, std::string_view key, const Context& context, std::string_view plaintext) {
  out.reserve(out.size() + row_size(plaintext.size()));
  out.append(row_header(context));
  append_message(out, key, Salt().view(), context.encode(), plaintext);
}

std::string seal(std::string_view key, const Context& context, std::string_view plaintext) {
  std::string row;
  append_sealed(row, key, context, plaintext);
  return row;
}

Result<RowHeader> read_row_header(std::string_view row) {
  if (row.size() < row_header_size) return Error{ErrorKind::corrupt, "too short for a sealed row"};
  ByteReader reader(row);
  const bool known = reader.raw(magic.size()) == magic && reader.u8() == algorithm_cobblestone_256;
  if (!known) return Error{ErrorKind::corrupt, "not a sealed row"};
  RowHeader header;
  header.key_id = Id::from_bytes(reader.raw(Id::size));
  header.key_version = reader.u32();
  header.version = reader.u64();
  return header;
}

Result<std::string> open(std::string_view key, const Context& context, std::string_view row) {
  ASSIGN_OR_RETURN(const std::string_view message, message_of(context, row));
  return open_message(key, context.encode(), message);
}

Result<SecretText> open_secret(std::string_view key, const Context& context, std::string_view row) {
  ASSIGN_OR_RETURN(const std::string_view message, message_of(context, row));
  return open_message_secret(key, context.encode(), message);
}

std::string seal_compact(std::string_view key, const Context& context, std::string_view plaintext) {
  std::string message;
  append_message(message, key, Salt().view(), context.encode(), plaintext);
  return message;
}

Result<std::string> open_compact(std::string_view key, const Context& context, std::string_view message) {
  return open_message(key, context.encode(), message);
}

bool Remains::has(std::size_t at, std::size_t count) const {
  if (at > plaintext.size() || count > plaintext.size() - at) return false;
  for (std::size_t chunk = at / chunk_size; count > 0 && chunk <= (at + count - 1) / chunk_size; ++chunk) {
    if (!opens[chunk]) return false;
  }
  return true;
}

Result<Remains> open_compact_remains(std::string_view key, const Context& context, std::string_view message) {
  return open_message_remains(key, context.encode(), message);
}

Result<SecretText> open_compact_secret(std::string_view key, const Context& context, std::string_view message) {
  return open_message_secret(key, context.encode(), message);
}

}  // namespace mailhold::sealed
