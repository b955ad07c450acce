// ResponseReader: the answers of an HTTP/1.1 server to a client, read strictly (RFC 9112): one after the other on one
// connection, each a head and a body that is handed out piece by piece. The server is not trusted: a response that could be
// framed in two ways, a head or chunk line without end, a second 1xx without end are errors. Pure: bytes in, pieces out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace mailhold::http {

struct ResponseHead {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> fields;  // names in lower case, values trimmed
  std::optional<std::uint64_t> length;                      // of the body, where it is known before
  bool keeps = true;                                        // the server keeps the connection for another request
  std::string_view field(std::string_view name) const;      // the first of this name; empty when there is none
};

class ResponseReader {
 public:
  // Begins the answer to a request of that method; bytes left of the one before count.
  void expect(std::string_view method);
  Status receive(std::string_view bytes);  // invalid_input, limit_exceeded: the connection is of no use any more
  void end_of_stream();                    // the server has closed: ends a body that has no other end

  bool has_head() const { return state_ != State::head; }
  const ResponseHead& head() const { return head_; }
  std::string take_body() { return std::exchange(body_, {}); }  // what arrived of it
  bool is_complete() const { return state_ == State::complete; }
  bool may_be_kept() const { return is_complete() && keeps_ && rest_.empty(); }  // for the next request

 private:
  enum class State { head, length, chunk_size, chunk, chunk_end, trailer, until_close, complete };
  Status read_head(std::string_view head);
  Status frame_body();
  Status read_more();
  bool take_line(std::string& line);

  State state_ = State::complete;
  bool answers_head_ = false;
  bool keeps_ = false;
  int interim_ = 0;
  std::size_t head_bytes_ = 0;
  ResponseHead head_;
  std::string rest_, body_;
  std::uint64_t left_ = 0;
};

}  // namespace mailhold::http
