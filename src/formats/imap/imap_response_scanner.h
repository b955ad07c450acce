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
  std::string_view bytes;  // until the next call of receive()
  std::string tag{};       // of tagged
};

class ImapResponseScanner {
 public:
  static constexpr std::size_t line_bytes_max = 4U << 20;  // ENVELOPE and BODYSTRUCTURE of large messages are long

  // The bytes stay where they are until next() has nothing more, which must be heard before the next call. limit_exceeded: a line
  // without end.
  Status receive(std::string_view bytes);
  std::optional<ResponsePiece> next();

 private:
  std::optional<ResponsePiece> nothing();
  std::string_view take(std::size_t size);

  std::string_view left_;     // of what was received; all of it is in kept_ when there is nothing more
  std::string kept_;          // the beginning of a line, and what came behind it
  bool is_kept_ = false;      // left_ lies in kept_
  std::size_t searched_ = 0;  // of left_: up to here no line ends
  std::uint64_t literal_left_ = 0;
  bool at_begin_ = true;  // of a response
};

}  // namespace mailhold::imap
