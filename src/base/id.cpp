#include "base/id.h"

#include <algorithm>

#include "base/random.h"
#include "base/text.h"

namespace mailhold {

Id Id::random() {
  Id id;
  fill_random(id.bytes_.data(), size);
  return id;
}

Id Id::from_bytes(std::string_view bytes) {
  Id id;
  if (bytes.size() == size) std::copy(bytes.begin(), bytes.end(), id.bytes_.begin());
  return id;
}

Result<Id> Id::parse(std::string_view hex) {
  const auto bytes = from_hex(hex);
  if (!bytes || bytes->size() != size) return Error{ErrorKind::invalid_input, "an id is 32 hex digits"};
  return from_bytes(*bytes);
}

std::string Id::text() const { return to_hex(bytes()); }

}  // namespace mailhold
