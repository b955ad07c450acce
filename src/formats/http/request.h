// RequestParser: one HTTP/1.1 or 1.0 request head and its small body, read strictly
// (RFC 9112). Whatever two programs could frame differently is refused: both
// Content-Length and Transfer-Encoding, repeated lengths, bare CR or LF, folded lines,
// spaces before a colon. No chunked bodies. Pure: bytes in, a request or a status out.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mailhold::http {

struct Request {
  std::string method;  // "GET"
  std::string target;  // as sent: "/a/b?c"; printable ASCII, begins with '/'
  int minor_version = 1;
  std::vector<std::pair<std::string, std::string>> fields;  // names in lower case, values trimmed
  std::string body;

  // The first field of this name (lower case); empty when there is none.
  std::string_view field(std::string_view name) const;
  // All fields of this name in one, as a server may read them (RFC 9110 section 5.3): "a, b".
  std::string joined_field(std::string_view name) const;
};

struct RequestLimits {
  std::size_t target_bytes_max = 16 * 1024;
  std::size_t head_bytes_max = 32 * 1024;
  std::size_t fields_max = 64;
  std::size_t body_bytes_max = 4 * 1024;
};

class RequestParser {
 public:
  enum class State { wants_more, complete, refused };
  explicit RequestParser(RequestLimits limits = {}) : limits_(limits) {}

  // Takes what has arrived. After complete or refused nothing more is read; bytes after the request are ignored.
  State feed(std::string_view bytes);
  const Request& request() const { return request_; }  // after complete
  int status() const { return status_; }               // after refused: 400, 411, 413, 414, 417, 431, 501 or 505

 private:
  State refuse(int status);
  State read_head(std::string_view head);
  bool read_request_line(std::string_view line);
  bool read_field(std::string_view line);
  State read_body_length();

  RequestLimits limits_;
  Request request_;
  std::string buffered_;
  std::size_t searched_ = 0;  // bytes of buffered_ known to hold no end of the head
  std::optional<std::size_t> body_length_;
  State state_ = State::wants_more;
  int status_ = 0;
};

}  // namespace mailhold::http
