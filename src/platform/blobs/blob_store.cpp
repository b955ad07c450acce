#include "platform/blobs/blob_store.h"

#include <algorithm>

namespace mailhold::blobs {

Status check_name(std::string_view name) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; };
  if (name.size() < 4 || name.size() > 200 || !std::ranges::all_of(name, allowed)) {
    return Error{ErrorKind::invalid_input, "bad object name of " + std::to_string(name.size()) + " characters"};
  }
  return done();
}

}  // namespace mailhold::blobs
