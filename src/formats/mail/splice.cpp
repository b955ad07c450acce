#include "formats/mail/splice.h"

namespace mailhold::mail {

Status check_splices(std::uint64_t message_size, std::span<const Splice> splices) {
  std::uint64_t at = 0;
  for (const Splice& splice : splices) {
    if (splice.offset < at || splice.offset > message_size || splice.length > message_size - splice.offset) {
      return Error{ErrorKind::corrupt, "splices are out of order or out of the message"};
    }
    at = splice.offset + splice.length;
  }
  return done();
}

Result<std::string> apply_splices(std::string_view message, std::span<const Splice> splices) {
  RETURN_IF_ERROR(check_splices(message.size(), splices));
  std::size_t size = message.size();
  for (const Splice& splice : splices) size += splice.replacement.size() - static_cast<std::size_t>(splice.length);
  std::string out;
  out.reserve(size);
  std::size_t at = 0;
  for (const Splice& splice : splices) {
    out.append(message, at, static_cast<std::size_t>(splice.offset) - at);
    out += splice.replacement;
    at = static_cast<std::size_t>(splice.offset + splice.length);
  }
  out.append(message, at, message.size() - at);
  return out;
}

std::uint64_t Shift::start(std::uint64_t offset) {
  while (next_ < splices_.size() && splices_[next_].offset + splices_[next_].length <= offset &&
         splices_[next_].offset < offset) {
    delta_ += static_cast<std::int64_t>(splices_[next_].replacement.size()) - static_cast<std::int64_t>(splices_[next_].length);
    ++next_;
  }
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(offset) + delta_);
}

std::uint64_t Shift::end(std::uint64_t offset) {
  while (next_ < splices_.size() && splices_[next_].offset + splices_[next_].length <= offset) {
    delta_ += static_cast<std::int64_t>(splices_[next_].replacement.size()) - static_cast<std::int64_t>(splices_[next_].length);
    ++next_;
  }
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(offset) + delta_);
}

}  // namespace mailhold::mail
