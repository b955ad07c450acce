#include "core/witness/witness_client.h"

#include <optional>

#include "base/text.h"
#include "platform/net/connect.h"
#include "platform/net/tls_client.h"

namespace mailhold::witness {
namespace {

Error nonsense(const char* what) { return Error{ErrorKind::corrupt, std::string("witness: ") + what}; }

// The body, once it is whole; the header fields say how long it is. Chunked bodies are not read: no witness needs one for a few
// lines, and we ask for a connection that is closed afterwards.
Result<std::string_view> body_of(std::string_view head, std::string_view rest) {
  for (const std::string_view line : split(head, '\n')) {
    const auto colon = line.find(':');
    if (colon == line.npos) continue;
    const std::string name = to_lower(line.substr(0, colon));
    const std::string_view value = trim(line.substr(colon + 1));
    if (name == "transfer-encoding") return nonsense("answers with a transfer encoding");
    if (name != "content-length") continue;
    const auto length = to_number(value);
    if (!length || *length > rest.size()) return nonsense("answer is cut short");
    return rest.substr(0, *length);
  }
  return rest;
}

std::string request_of(const WitnessUrl& url, std::string_view body) {
  const bool is_v6 = url.host.find(':') != std::string::npos;
  return "POST " + url.path + " HTTP/1.1\r\nHost: " + (is_v6 ? "[" + url.host + "]" : url.host) + ":" + std::to_string(url.port) +
         "\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" +
         std::string(body);
}

Result<std::unique_ptr<net::Stream>> connected(const WitnessUrl& url, const std::string& ca, const ResolveHost& resolve,
                                               const Deadline& deadline) {
  Status last = Error{ErrorKind::unavailable, "witness: its name has no address"};
  for (const std::string& ip : resolve(url.host, deadline)) {
    const auto socket = net::connect_tcp(ip, url.port, deadline);
    if (!socket) {
      last = socket.error();
      continue;
    }
    auto plain = net::stream_over(*socket);
    if (!url.tls) return Result<std::unique_ptr<net::Stream>>(std::move(plain));
    ASSIGN_OR_RETURN(const auto client, net::TlsClient::create({url.host, ca, {}}));
    return client->start(std::move(plain), deadline);
  }
  return last.error();
}

}  // namespace

Result<WitnessReply> parse_reply(std::string_view answer) {
  if (answer.size() > witness_answer_bytes_max) return nonsense("answer is too long");
  const auto divide = answer.find("\r\n\r\n");
  if (divide == answer.npos) return nonsense("answer has no end of its header");
  const std::string_view head = answer.substr(0, divide);
  if (head.size() < 12 || !(head.starts_with("HTTP/1.1 ") || head.starts_with("HTTP/1.0 ")))
    return nonsense("does not speak HTTP/1");
  const auto status = to_number(head.substr(9, 3));
  if (!status || *status < 200 || *status > 599) return nonsense("answer has no status");
  ASSIGN_OR_RETURN(const std::string_view body, body_of(head, answer.substr(divide + 4)));
  WitnessReply reply;
  reply.status = static_cast<int>(*status);
  if (reply.status == 200) {
    reply.kind = WitnessReply::Kind::cosigned;
    ASSIGN_OR_RETURN(reply.signatures, tlog::parse_signatures(body));
  } else if (reply.status == 409) {
    reply.kind = WitnessReply::Kind::conflict;
    const auto size = body.ends_with('\n') ? to_number(body.substr(0, body.size() - 1)) : std::nullopt;
    if (!size || *size > INT64_MAX) return nonsense("does not say what size it cosigned last");
    reply.size = *size;
  }
  return reply;
}

Result<WitnessReply> ask(const WitnessUrl& url, std::string_view body, const std::string& ca, const ResolveHost& resolve,
                         const Deadline& deadline) {
  ASSIGN_OR_RETURN(const auto stream, connected(url, ca, resolve, deadline));
  RETURN_IF_ERROR(stream->write_all(request_of(url, body), deadline));
  std::string answer;
  for (;;) {
    ASSIGN_OR_RETURN(const std::string bytes, stream->read_some(deadline));
    if (bytes.empty()) return parse_reply(answer);
    answer += bytes;
    if (answer.size() > witness_answer_bytes_max) return nonsense("answer is too long");
  }
}

}  // namespace mailhold::witness
