// What every BlobStore must do. An implementation's test instantiates it:
//   INSTANTIATE_TEST_SUITE_P(Files, BlobStoreContract, testing::Values(make_file_store));
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "platform/blobs/blob_store.h"

namespace mailhold::blobs {

using MakeEmptyStore = std::unique_ptr<BlobStore> (*)();

class BlobStoreContract : public testing::TestWithParam<MakeEmptyStore> {
 protected:
  std::unique_ptr<BlobStore> store = GetParam()();
  Deadline soon = Deadline::after(std::chrono::seconds(10));
};

}  // namespace mailhold::blobs
