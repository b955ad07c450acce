#include "core/broker/http_session.h"

#include "base/bytes.h"
#include "base/log.h"
#include "base/text.h"
#include "core/broker/token_request.h"
#include "platform/net/wait.h"

namespace mailhold::broker {
namespace {

using namespace std::chrono_literals;

constexpr auto idle_time = 300s;
constexpr auto request_time = 600s;

// What of a worker's request goes on, and what of a server's answer comes back.
constexpr std::string_view request_fields[] = {"accept", "content-type",     "depth", "if-match", "if-none-match",
                                               "prefer", "consistencylevel", "range", "overwrite"};
constexpr std::string_view response_fields[] = {
    "content-type",       "etag",          "dav",        "allow",      "last-modified", "retry-after",
    "preference-applied", "content-range", "request-id", "sync-token", "odata-version"};

template <std::size_t count>
bool is_among(const std::string_view (&names)[count], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

SecretText joined(std::string_view scheme, std::string_view credential) {
  SecretText text = SecretText::zeroed(scheme.size() + credential.size());
  scheme.copy(text.data(), scheme.size());
  credential.copy(text.data() + scheme.size(), credential.size());
  return text;
}

}  // namespace

std::string HttpSession::host_field() const {
  const access::Connection& connection = job_.connection;
  return connection.host + (connection.port == 443 ? "" : ":" + std::to_string(connection.port));
}

Status HttpSession::open(Wire& wire, ConnectionSecret& secret, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const auto tls, tls_client_for(job_));
  ASSIGN_OR_RETURN(wire.stream, tls->start(std::move(wire.stream), deadline));
  if (secret.is_token()) {
    ASSIGN_OR_RETURN(const SecretText token, secret.token(deadline));
    authorization_ = joined("Bearer ", token.reveal());
    return done();
  }
  ASSIGN_OR_RETURN(const SecretText message, secret.plain());
  ASSIGN_OR_RETURN(const sasl::UserAndPassword parts, sasl::read_plain(message.reveal()));
  if (parts.user.find(':') != std::string_view::npos)
    return Error{ErrorKind::unsupported, "Basic cannot carry a user with a colon"};
  SecretText pair = SecretText::copy_of(message.reveal().substr(1));
  pair.data()[parts.user.size()] = ':';
  const SecretText encoded = SecretText::take(to_base64(pair.reveal()));
  authorization_ = joined("Basic ", encoded.reveal());
  return done();
}

std::string HttpSession::serve(Wire& wire, ipc::OwnedFd worker_socket, const Deadline& deadline) {
  const int socket = worker_socket.get();
  const auto worker = net::stream_over(worker_socket.release());
  for (;;) {
    http::RequestParser parser(
        {.target_bytes_max = 16 * 1024, .head_bytes_max = 32 * 1024, .fields_max = 64, .body_bytes_max = http_body_bytes_max});
    const Deadline idle{std::min(deadline.at, std::chrono::steady_clock::now() + idle_time), deadline.stop};
    auto state = http::RequestParser::State::wants_more;
    while (state == http::RequestParser::State::wants_more) {
      const auto ready = net::wait_for_any(socket, -1, meter_.descriptor(), idle);
      if (ready && ready->third) return "brokerd is gone";
      const auto bytes = worker->read_some(idle);
      if (!bytes) return bytes.error().kind == ErrorKind::timed_out ? "nobody spoke for too long" : "the worker is gone";
      if (bytes->empty()) return "closed by the worker";
      state = parser.feed(*bytes);
    }
    const Deadline limit{std::min(deadline.at, std::chrono::steady_clock::now() + request_time), deadline.stop};
    if (state == http::RequestParser::State::refused) {
      ++refused_;
      (void)answer(*worker, parser.status(), "the request cannot be read", limit);
      return "worker breaks HTTP";
    }
    const auto next = serve_one(*wire.stream, *worker, parser.request(), limit);
    if (!next) return std::string(name_of(next.error().kind)) + ": " + next.error().detail;
    if (*next == Next::ends) return end_;
  }
}

Result<bool> HttpSession::may_pass(const AllowedRequest& allowed) {
  for (const std::string& mailbox : allowed.mailboxes) {
    ASSIGN_OR_RETURN(const bool may_reach, meter_.may_reach(mailbox));
    if (!may_reach) return false;
  }
  for (std::size_t i = 0; i < allowed.parts; ++i) {
    ASSIGN_OR_RETURN(const bool may, meter_.take_item());
    if (!may) return false;
  }
  return true;
}

Result<HttpSession::Next> HttpSession::serve_one(net::Stream& server, net::Stream& worker, const http::Request& request,
                                                 const Deadline& deadline) {
  const auto allowed = rules_.check(request.method, request.target, request.body, request.joined_field("if-none-match"),
                                    request.joined_field("if-match"));
  if (!allowed) {
    ++refused_;
    RETURN_IF_ERROR(answer(worker, 403, allowed.error().detail, deadline));
    return Next::goes_on;
  }
  ASSIGN_OR_RETURN(const bool may, may_pass(*allowed));
  if (!may) {
    end_ = "cap reached";
    RETURN_IF_ERROR(answer(worker, 429, "the connection has reached a cap", deadline));
    return Next::ends;
  }
  std::string head = request_head(request, allowed->body.size());
  Status sent = server.write_all(head, deadline);
  wipe(head);
  RETURN_IF_ERROR(std::move(sent));
  RETURN_IF_ERROR(server.write_all(allowed->body, deadline));
  reader_.expect(request.method);
  while (!reader_.has_head()) {
    ASSIGN_OR_RETURN(const std::string bytes, server.read_some(deadline));
    if (bytes.empty()) return Error{ErrorKind::unavailable, "server closed the connection"};
    RETURN_IF_ERROR(reader_.receive(bytes));
  }
  const bool is_chunked = !reader_.head().length.has_value();
  const auto response = response_head(reader_.head(), is_chunked);
  if (!response) {
    ++refused_;
    end_ = "redirected to another host";
    RETURN_IF_ERROR(answer(worker, 502, response.error().detail, deadline));
    return Next::ends;
  }
  RETURN_IF_ERROR(worker.write_all(*response, deadline));
  RETURN_IF_ERROR(pass_body(server, worker, is_chunked, deadline));
  if (end_.empty() && reader_.may_be_kept()) return Next::goes_on;
  if (end_.empty()) end_ = "closed by the server";
  return Next::ends;
}

std::string HttpSession::request_head(const http::Request& request, std::size_t body_bytes) const {
  std::string fields;
  for (const auto& [name, value] : request.fields) {
    if (is_among(request_fields, name)) fields += name + ": " + value + "\r\n";
  }
  std::string head;
  head.reserve(request.target.size() + fields.size() + authorization_.size() +
               512);  // one allocation, so that the only copy is wiped
  head.append(request.method)
      .append(" ")
      .append(request.target)
      .append(" HTTP/1.1\r\nHost: ")
      .append(host_field())
      .append("\r\n");
  head.append(fields)
      .append("Authorization: ")
      .append(authorization_.reveal())
      .append("\r\nclient-request-id: ")
      .append(request_id_of(job_.use_id));
  head.append("\r\nAccept-Encoding: identity\r\nContent-Length: ").append(std::to_string(body_bytes)).append("\r\n\r\n");
  return head;
}

Result<std::string> HttpSession::response_head(const http::ResponseHead& head, bool is_chunked) const {
  std::string text = "HTTP/1.1 " + std::to_string(head.status) + " -\r\n";
  for (const auto& [name, value] : head.fields) {
    if (is_among(response_fields, name)) text += name + ": " + value + "\r\n";
  }
  // Said to the worker too, so that it opens another session instead of losing a request in this one.
  if (!head.keeps) text += "connection: close\r\n";
  if (const std::string location(head.field("location")); !location.empty()) {
    // Only a path on this server goes back; whoever follows it asks again, and is judged again.
    const std::string origin = "https://" + host_field();
    const bool is_here = starts_with_ignoring_case(location, origin + "/");
    if (!is_here && (!location.starts_with('/') || location.starts_with("//") || location.starts_with("/\\")))
      return Error{ErrorKind::denied, "the server redirects to another host"};
    text += "location: " + (is_here ? location.substr(origin.size()) : location) + "\r\n";
  }
  return text + (is_chunked ? "transfer-encoding: chunked\r\n\r\n"
                            : "content-length: " + std::to_string(head.length.value_or(0)) + "\r\n\r\n");
}

Status HttpSession::pass_body(net::Stream& server, net::Stream& worker, bool is_chunked, const Deadline& deadline) {
  for (;;) {
    const std::string body = reader_.take_body();
    if (!body.empty()) {
      ASSIGN_OR_RETURN(const std::uint64_t count, meter_.take_bytes(body.size()));
      std::string piece;
      if (is_chunked && count > 0) piece = to_hex(ByteWriter().u32(static_cast<std::uint32_t>(count)).view()) + "\r\n";
      piece.append(body, 0, count);
      if (is_chunked && count > 0) piece += "\r\n";
      RETURN_IF_ERROR(worker.write_all(piece, deadline));
      if (count < body.size()) {
        end_ = "cap reached";
        return done();
      }
    }
    if (reader_.is_complete()) break;
    ASSIGN_OR_RETURN(const std::string bytes, server.read_some(deadline));
    if (bytes.empty()) {
      reader_.end_of_stream();
      if (!reader_.is_complete()) return Error{ErrorKind::unavailable, "server closed the connection in its answer"};
    } else {
      RETURN_IF_ERROR(reader_.receive(bytes));
    }
  }
  return is_chunked ? worker.write_all("0\r\n\r\n", deadline) : done();
}

Status HttpSession::answer(net::Stream& worker, int status, const std::string& why, const Deadline& deadline) {
  const std::string body = why + "\n";
  return worker.write_all("HTTP/1.1 " + std::to_string(status) +
                              " -\r\ncontent-type: text/plain\r\nx-refused-by: mailhold\r\ncontent-length: " +
                              std::to_string(body.size()) + "\r\n\r\n" + body,
                          deadline);
}

}  // namespace mailhold::broker
