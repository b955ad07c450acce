// Test collections that are not part of the repository (MAILHOLD_CORPORA, default
// ../shared/corpora beside it). A missing one skips the test on a user's machine and
// fails it where CI is set; `make test` names what was skipped.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace mailhold {

inline std::filesystem::path corpora_root() {
  const char* root = std::getenv("MAILHOLD_CORPORA");
  return root != nullptr ? std::filesystem::path(root) : std::filesystem::path(MAILHOLD_SOURCE_DIR) / "../shared/corpora";
}

inline std::string read_whole_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace mailhold

// What a machine of ours has and a user's may lack. At the start of a test: SKIP_UNLESS(has_it, "needs this");
#define SKIP_UNLESS(condition, reason)                    \
  if (!(condition)) {                                     \
    if (std::getenv("CI") != nullptr) FAIL() << (reason); \
    GTEST_SKIP() << (reason);                             \
  }                                                       \
  static_assert(true)

// At the start of a test: CORPUS_OR_RETURN(folder, "dkim-vectors");
#define CORPUS_OR_RETURN(variable, name)                                      \
  const std::filesystem::path variable = ::mailhold::corpora_root() / (name); \
  if (!std::filesystem::is_directory(variable)) {                             \
    if (std::getenv("CI") != nullptr) {                                       \
      FAIL() << "collection missing: " << (name);                             \
    }                                                                         \
    std::printf("skipped-collection %s\n", name);                             \
    GTEST_SKIP() << "collection missing: " << (name);                         \
  }                                                                           \
  static_assert(true)
