// Splice: a change to a message that leaves every other byte as it was.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mailhold::mail {

// Replaces `length` bytes at `offset` of the original message.
struct Splice {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::string replacement;
};

// corrupt unless the splices are sorted by offset, do not overlap and stay within a message of that size.
Status check_splices(std::uint64_t message_size, std::span<const Splice> splices);

// The message with the splices applied; corrupt as above.
Result<std::string> apply_splices(std::string_view message, std::span<const Splice> splices);

// Where bytes of the original stand after the splices: for spans that no splice cuts in two.
class Shift {
 public:
  explicit Shift(std::span<const Splice> splices) : splices_(splices) {}
  // Offsets must come in rising order.
  std::uint64_t start(std::uint64_t offset);  // of a span: behind everything put in before it
  std::uint64_t end(std::uint64_t offset);    // of a span: with everything put in up to its end

 private:
  std::span<const Splice> splices_;
  std::size_t next_ = 0;
  std::int64_t delta_ = 0;
};

}  // namespace mailhold::mail
