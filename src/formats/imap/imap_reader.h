// ImapReader: cuts what a server sends into responses. Bytes in, responses out; no socket, no clock, no trust.
//
//   RETURN_IF_ERROR(reader.receive(bytes));
//   while (auto response = reader.next()) ...
//
// Known spellings of real servers are taken as they are (bare LF, doubled spaces, lower case); a line that
// makes no sense becomes Kind::other. What has no end, too many parts or too deep a nesting is an error for good.
#pragma once

#include <deque>

#include "formats/imap/imap_response.h"

namespace mailhold::imap {

struct ReaderLimits {
  std::size_t line_bytes_max = 4U << 20;       // of a response without its content
  std::size_t content_bytes_max = 160U << 20;  // of one message; what is longer is read past and named as dropped
  std::size_t literal_bytes_max = 64U << 10;   // of any other literal
  std::size_t literals_max = 64;               // in one response
  std::size_t values_max = 200'000;            // in one response
  std::size_t depth_max = 24;                  // of parentheses
};

class ImapReader {
 public:
  explicit ImapReader(ReaderLimits limits = {}) : limits_(limits) {}

  // limit_exceeded names the limit; afterwards nothing is read any more.
  Status receive(std::string_view bytes);
  std::optional<Response> next();

  // Bytes of a response that has begun: nothing may end here.
  bool is_between_responses() const { return line_.empty() && literal_left_ == 0 && pieces_.empty(); }

 private:
  Status take_line();
  Status begin_literal(std::uint64_t size);
  Status finish();

  const ReaderLimits limits_;
  std::optional<Error> failure_;
  std::string line_;                 // the line that is being read
  std::vector<std::string> pieces_;  // the lines of this response that ended with a literal
  std::vector<std::string> literals_;
  std::size_t response_bytes_ = 0;
  std::uint64_t literal_left_ = 0;
  bool literal_is_dropped_ = false;
  std::uint64_t bytes_dropped_ = 0;
  std::deque<Response> ready_;
};

}  // namespace mailhold::imap
