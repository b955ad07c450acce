// HttpSession: an http connection as authd serves it: a forward proxy for one server and one worker. Every request is read
// whole, judged by HttpRules, and written anew with the credential; nothing of the worker's but target, body and a few known
// fields goes on. Redirects to other hosts end here. One request at a time; one thread.
#pragma once

#include <string>

#include "core/broker/http_rules.h"
#include "core/broker/sign_in.h"
#include "formats/http/request.h"
#include "formats/http/response_reader.h"

namespace mailhold::broker {

inline constexpr std::size_t http_body_bytes_max = 64U << 20;  // of a request

class HttpSession {
 public:
  HttpSession(const ConnectionJob& job, SessionMeter& meter)
      : job_(job), rules_(job.connection.verbs, job.connection.mailboxes), meter_(meter) {}

  // TLS, and the credential: Basic, a bearer that was entered, or a token asked for at the token endpoint.
  Status open(Wire& wire, ConnectionSecret& secret, const Deadline& deadline);
  // Until the session is over; why.
  std::string serve(Wire& wire, ipc::OwnedFd worker, const Deadline& deadline);
  std::uint64_t refused() const { return refused_; }

 private:
  enum class Next { goes_on, ends };
  Result<Next> serve_one(net::Stream& server, net::Stream& worker, const http::Request& request, const Deadline& deadline);
  Result<bool> may_pass(const AllowedRequest& allowed);
  std::string request_head(const http::Request& request, std::size_t body_bytes) const;
  Result<std::string> response_head(const http::ResponseHead& head, bool is_chunked) const;
  Status pass_body(net::Stream& server, net::Stream& worker, bool is_chunked, const Deadline& deadline);
  Status answer(net::Stream& worker, int status, const std::string& why, const Deadline& deadline);
  std::string host_field() const;

  const ConnectionJob& job_;
  const HttpRules rules_;
  SessionMeter& meter_;
  SecretText authorization_;  // "Bearer …"
  http::ResponseReader reader_;
  std::uint64_t refused_ = 0;
  std::string end_;
};

}  // namespace mailhold::broker
