// ImapResponseScanner: cuts what a server says into lines and literals, so that a session can be counted and stopped at a
// boundary. It looks at nothing else; every byte comes out again, in order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mailhold::imap {

struct ResponsePiece {
  enum class Kind {
    text,          // an untagged line, or the rest of one
    item,          // the beginning of a FETCH with content: a message leaves the server
    continuation,  // "+ ..."
    tagged,        // the end of a command
    literal,       // bytes of a literal
  };
  Kind kind = Kind::text;
  std::string bytes;
  std::string tag{};  // of tagged
};

class ImapResponseScanner {
 public:
  static constexpr std::size_t line_bytes_max = 4U << 20;  // ENVELOPE and BODYSTRUCTURE of large messages are long

  Status receive(std::string_view bytes);  // limit_exceeded: a line without end
  std::optional<ResponsePiece> next();

 private:
  std::string buffered_;
  std::size_t taken_ = 0;
  std::size_t searched_ = 0;  // up to here no line ends
  std::uint64_t literal_left_ = 0;
  bool at_begin_ = true;  // of a response
};

}  // namespace mailhold::imap
