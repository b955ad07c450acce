// BlobStore: keeps sealed objects under a name, written once and never changed.
// It sees ciphertext only: sealing happens above it, in core/store.
//
// Every implementation passes blob_store_contract_test.cpp. Calls may come from any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"

namespace mailhold::blobs {

class BlobStore {
 public:
  virtual ~BlobStore() = default;

  // The object is durable when this returns: it survives a power cut.
  // already_exists if the name is taken, even by equal bytes; unavailable if the disk is full or failing.
  virtual Status put(std::string_view name, std::string_view bytes, const Deadline& deadline) = 0;

  // not_found if there is no such object.
  virtual Result<std::string> get(std::string_view name, const Deadline& deadline) = 0;

  // Done if there is no such object, too.
  virtual Status remove(std::string_view name, const Deadline& deadline) = 0;

  // The names that start with the prefix, sorted; never a half-written object.
  virtual Result<std::vector<std::string>> list(std::string_view prefix, const Deadline& deadline) = 0;
};

// Names are 4 to 200 characters of a-z 0-9 - _ so that every backend can hold them.
Status check_name(std::string_view name);

}  // namespace mailhold::blobs
