#include "core/ledger/ledger_messages.h"

#include "base/bytes.h"

namespace mailhold::ledger {

std::string encode(const Append& append) {
  return ByteWriter()
      .raw(append.tenant.bytes())
      .raw(append.connection.bytes())
      .raw(append.commitment.bytes())
      .raw(append.payload)
      .take();
}

Result<Append> parse_append(std::string_view bytes) {
  ByteReader reader(bytes);
  Append append;
  append.tenant = Id::from_bytes(reader.raw(Id::size));
  append.connection = Id::from_bytes(reader.raw(Id::size));
  append.commitment = Hash::from_bytes(reader.raw(Hash::size));
  if (!reader.ok()) return Error{ErrorKind::invalid_input, "append: too short"};
  append.payload = reader.rest();
  return append;
}

}  // namespace mailhold::ledger
