// mbox: many messages in one file (RFC 4155), with the quoting of mboxrd, which can be undone. And the flags that the names
// of Maildir files carry. Pure; one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace mailhold::mbox {

// The message as it stands in an mbox file, with its From line and the empty line that ends it. A message all of whose lines
// end in CRLF gets LF; any other is left as it is.
std::string mbox_entry(std::string_view message, Milliseconds received_at);

struct MboxMessage {
  std::string content;             // unquoted, line ends as in the file
  Milliseconds received_at = 0;    // of the From line; 0: it says none that reads
  std::vector<std::string> flags;  // sorted IMAP flags, from Status and X-Status of the header
};

// Cuts a file into messages, however its bytes come. A From line is one at the beginning of the file or behind an empty line
// (mboxo, mboxrd); Content-Length is not believed.
class MboxReader {
 public:
  explicit MboxReader(std::size_t message_bytes_max = 256U << 20) : message_bytes_max_(message_bytes_max) {}

  // invalid_input: the file does not begin with a From line. limit_exceeded: a message is too large.
  Status receive(std::string_view bytes);
  // At the end of the file: what is left is the last message.
  Status end();
  std::optional<MboxMessage> next();

 private:
  Status take_line(std::string_view line);
  void end_message();

  const std::size_t message_bytes_max_;
  std::string line_;  // begun and not ended
  std::string content_;
  Milliseconds received_at_ = 0;
  bool has_message_ = false;
  bool after_empty_line_ = true;
  std::vector<MboxMessage> ready_;
  std::size_t taken_ = 0;
};

// The flags of "1234.host:2,FS": sorted IMAP flags. Letters that Maildir does not define are left out.
std::vector<std::string> maildir_flags(std::string_view file_name);

// What a mail server takes: LF becomes CRLF if no line of the message ends in CRLF; else the bytes as they are.
std::string with_crlf(std::string message);

}  // namespace mailhold::mbox
