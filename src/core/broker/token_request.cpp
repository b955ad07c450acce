#include "core/broker/token_request.h"

#include <boost/json.hpp>

#include "base/bytes.h"
#include "base/text.h"
#include "formats/http/response_reader.h"
#include "platform/net/stream.h"
#include "platform/net/tls_client.h"

namespace mailhold::broker {
namespace {

namespace json = boost::json;

constexpr std::size_t answer_bytes_max = 256 * 1024;

// RFC 6749 section 5.2: the words an endpoint may give as its reason. Any other is not repeated.
constexpr std::string_view known_reasons[] = {"invalid_request",     "invalid_client",         "invalid_grant",
                                              "unauthorized_client", "unsupported_grant_type", "invalid_scope"};

struct Assertion {
  std::string client_id, audience, scope, text;
};

Result<Assertion> read_assertion(std::string_view bytes) {
  ByteReader reader(bytes);
  Assertion assertion;
  assertion.client_id = reader.text();
  assertion.audience = reader.text();
  assertion.scope = reader.text();
  assertion.text = reader.text();
  RETURN_IF_ERROR(reader.finish());
  return assertion;
}

std::string form_encoded(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    const bool plain = (letter >= '0' && letter <= '9') || (letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z') ||
                       letter == '-' || letter == '_' || letter == '.';
    if (plain)
      out += letter;
    else
      out += "%" + to_hex(std::string_view(&letter, 1));
  }
  return out;
}

// "https://host[:port]/path" must be where we are connected to; the path.
Result<std::string> path_at(const std::string& url, const std::string& host, std::uint16_t port) {
  for (const std::string& origin : {"https://" + host, "https://" + host + ":" + std::to_string(port)}) {
    if (url.starts_with(origin + "/") && (port == 443 || origin.ends_with(":" + std::to_string(port))))
      return url.substr(origin.size());
  }
  return Error{ErrorKind::denied, "the token endpoint of the secret is not the token host it may go to"};
}

std::string request_of(const TokenEndpoint& endpoint, const std::string& path, const Assertion& assertion) {
  const std::string body =
      "grant_type=client_credentials&client_id=" + form_encoded(assertion.client_id) + "&scope=" + form_encoded(assertion.scope) +
      "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=" +
      form_encoded(assertion.text);
  const std::string port = endpoint.port == 443 ? "" : ":" + std::to_string(endpoint.port);
  return "POST " + path + " HTTP/1.1\r\nHost: " + endpoint.host + port +
         "\r\nContent-Type: application/x-www-form-urlencoded\r\nAccept: application/json\r\nclient-request-id: " +
         request_id_of(endpoint.use_id) + "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

Result<std::string> read_whole_answer(net::Stream& stream, http::ResponseReader& reader, const Deadline& deadline) {
  std::string body;
  while (!reader.is_complete()) {
    ASSIGN_OR_RETURN(const std::string bytes, stream.read_some(deadline));
    if (bytes.empty()) {
      reader.end_of_stream();
      if (!reader.is_complete()) return Error{ErrorKind::unavailable, "the token endpoint closed the connection in its answer"};
      break;
    }
    RETURN_IF_ERROR(reader.receive(bytes));
    body += reader.take_body();
    if (body.size() > answer_bytes_max) return Error{ErrorKind::limit_exceeded, "the token endpoint answers without end"};
  }
  return body + reader.take_body();
}

Error refusal_of(int status, const json::object* answer) {
  const json::value* reason = answer == nullptr ? nullptr : answer->if_contains("error");
  std::string said = std::to_string(status);
  for (const std::string_view each : known_reasons) {
    if (reason != nullptr && reason->is_string() && std::string_view(reason->as_string()) == each) said.append(" ").append(each);
  }
  if (status >= 300 && status < 400) return {ErrorKind::denied, "the token endpoint redirects, which is not followed: " + said};
  if (status == 429 || status >= 500) return {ErrorKind::unavailable, "the token endpoint gives no token now: " + said};
  return {ErrorKind::denied, "the token endpoint refused the client: " + said};
}

bool is_another_type(const json::object& answer) {
  const json::value* type = answer.if_contains("token_type");
  return type != nullptr && !(type->is_string() && equals_ignoring_case(std::string_view(type->as_string()), "Bearer"));
}

bool has_expired(const json::object& answer) {
  const json::value* seconds = answer.if_contains("expires_in");
  return seconds != nullptr && seconds->is_number() && seconds->to_number<double>() <= 0;
}

Result<SecretText> token_in(const json::object& answer) {
  const json::value* token = answer.if_contains("access_token");
  if (token == nullptr || !token->is_string() || token->as_string().empty())
    return Error{ErrorKind::invalid_input, "the token endpoint gave no token"};
  if (is_another_type(answer)) return Error{ErrorKind::denied, "the token endpoint gave a token that is no bearer token"};
  if (has_expired(answer)) return Error{ErrorKind::denied, "the token endpoint gave a token that has expired"};
  const std::string_view bytes(token->as_string());
  if (std::any_of(bytes.begin(), bytes.end(), [](char letter) { return letter <= 0x20 || letter >= 0x7f; }))
    return Error{ErrorKind::invalid_input, "the token endpoint gave a token with odd letters"};
  return SecretText::copy_of(bytes);
}

}  // namespace

std::string request_id_of(const std::string& use_id) {
  if (use_id.size() < 32) return use_id;
  return use_id.substr(0, 8) + "-" + use_id.substr(8, 4) + "-" + use_id.substr(12, 4) + "-" + use_id.substr(16, 4) + "-" +
         use_id.substr(20, 12);
}

Result<SecretText> read_token_answer(int status, std::string_view body) {
  if (body.size() > answer_bytes_max) return Error{ErrorKind::limit_exceeded, "the token endpoint answers without end"};
  // All that the parser keeps lies in one block, which is wiped: the token is among it.
  std::vector<unsigned char> block(4 * body.size() + 16 * 1024);
  std::vector<unsigned char> stack(body.size() + 4 * 1024);
  Result<SecretText> token = Error{ErrorKind::invalid_input, "the token endpoint's answer is no JSON object"};
  {
    json::monotonic_resource resource(block.data(), block.size());
    json::parser parser({}, {}, stack.data(), stack.size());
    parser.reset(&resource);
    boost::system::error_code error;
    parser.write(body.data(), body.size(), error);
    const json::value parsed = error ? json::value() : parser.release();
    const json::object* answer = parsed.if_object();
    if (status != 200)
      token = refusal_of(status, answer);
    else if (answer != nullptr)
      token = token_in(*answer);
  }
  wipe(block.data(), block.size());
  wipe(stack.data(), stack.size());
  return token;
}

Result<SecretText> ask_for_token(TokenEndpoint endpoint, const AskForAssertion& ask, const Deadline& deadline) {
  net::TlsPeer peer;
  peer.name = endpoint.host;
  peer.ca_file = endpoint.ca;
  if (peer.ca_file.empty()) return Error{ErrorKind::denied, "no assertion goes to a token endpoint that is not verified"};
  ASSIGN_OR_RETURN(const auto tls, net::TlsClient::create(peer));
  ASSIGN_OR_RETURN(const auto stream, tls->start(net::stream_over(endpoint.socket.release()), deadline));
  ASSIGN_OR_RETURN(const SecretText answer, ask());
  ASSIGN_OR_RETURN(const Assertion assertion, read_assertion(answer.reveal()));
  ASSIGN_OR_RETURN(const std::string path, path_at(assertion.audience, endpoint.host, endpoint.port));
  RETURN_IF_ERROR(stream->write_all(request_of(endpoint, path, assertion), deadline));
  http::ResponseReader reader;
  reader.expect("POST");
  ASSIGN_OR_RETURN(std::string body, read_whole_answer(*stream, reader, deadline));
  Result<SecretText> token = read_token_answer(reader.head().status, body);
  wipe(body);
  return token;
}

}  // namespace mailhold::broker
