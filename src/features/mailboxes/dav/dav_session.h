// DavSession: asks a server over HTTP sessions that somebody else opens and signs in. A session lasts as long as the server keeps
// the connection; the next request opens another. One thread at a time.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/deadline.h"
#include "base/result.h"
#include "platform/net/stream.h"

namespace mailhold::mailboxes {

struct DavRequest {
  std::string method;
  std::string path;
  std::string fields{};  // "Depth: 1\r\n"
  std::string body{};
  std::size_t answer_bytes_max = 48U << 20;
  bool may_be_repeated = true;  // asked again when a session that was open already turns out to be closed
};

struct DavAnswer {
  int status = 0;
  std::string body{};
  std::string etag, location;
  bool was_repeated = false;  // the server may have taken it the first time
  bool is_too_long = false;   // than it may be: the body is a part of it, and the session is over
};

inline constexpr std::chrono::seconds rest_max{3600};  // longer ones are asked for again

class DavSession {
 public:
  using Dial = std::function<Result<std::unique_ptr<net::Stream>>(const Deadline& deadline)>;
  // Hears for how long a server that has too much to do (429, 503) wants to be left alone, if it says so.
  using HearRest = std::function<void(std::chrono::seconds rest)>;
  explicit DavSession(Dial dial, HearRest hear_rest = {}) : dial_(std::move(dial)), hear_rest_(std::move(hear_rest)) {}

  // Whatever the server answers. Errors: those of `dial`; unavailable, timed_out; corrupt: no HTTP; limit_exceeded: the
  // connection reached a cap; denied: the connection does not allow the request, and then the session is open still.
  Result<DavAnswer> ask(const DavRequest& request, const Deadline& deadline);
  bool is_open() const { return stream_ != nullptr; }

 private:
  Result<DavAnswer> exchange(const DavRequest& request, bool& has_begun, const Deadline& deadline);

  const Dial dial_;
  const HearRest hear_rest_;
  std::unique_ptr<net::Stream> stream_;
};

}  // namespace mailhold::mailboxes
