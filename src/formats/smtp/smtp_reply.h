// SMTP replies (RFC 5321 section 4.2) with enhanced status codes (RFC 2034, RFC 3463):
// the value, its bytes, and a reader that cuts a server's bytes into replies.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mailhold::smtp {

struct Reply {
  int code = 0;                    // 200..599
  std::string enhanced{};          // "5.1.1", or empty where the reply carries none (220, 354, EHLO)
  std::vector<std::string> lines;  // the text of each line without code and enhanced status; at least one

  bool is_positive() const { return code >= 200 && code < 400; }
  bool is_temporary() const { return code >= 400 && code < 500; }
  bool is_permanent() const { return code >= 500; }
  std::string text() const;  // the lines joined by a space
};

// A reply of one line.
Reply reply(int code, std::string_view enhanced, std::string_view text);

// The bytes for the wire, each line ended by CRLF. Bytes outside printable ASCII become '?' and
// no line is longer than 512 bytes, so nothing a client sent can break out of a reply.
std::string write_reply(const Reply& reply);
void append_reply(std::string& out, const Reply& reply);  // the same, without a copy

// Cuts what a server sends into replies.
class ReplyReader {
 public:
  // Takes more bytes. invalid_input when they are not SMTP replies, limit_exceeded when a line is longer
  // than 2,048 bytes or a reply has more than 128 lines; the reader is of no use after either.
  Status receive(std::string_view bytes);
  // The next complete reply, oldest first.
  std::optional<Reply> next();
  // Bytes received that no complete reply has used yet: must be false before TLS starts.
  bool has_leftover() const { return !rest_.empty() || current_.code != 0 || !complete_.empty(); }

 private:
  Status take_line(std::string_view line);

  std::string rest_;  // an unfinished line
  Reply current_;     // lines so far of an unfinished reply
  std::vector<Reply> complete_;
};

}  // namespace mailhold::smtp
