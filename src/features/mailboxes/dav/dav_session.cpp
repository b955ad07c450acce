#include "features/mailboxes/dav/dav_session.h"

#include "formats/http/response_reader.h"
#include "formats/http/retry_after.h"

namespace mailhold::mailboxes {
namespace {

using namespace std::chrono_literals;

constexpr auto silence_max = 120s;  // between two pieces of an answer
constexpr std::size_t refusal_bytes_max = 200;

// What stands between us and the server answered in its place.
Error refusal_of(int status, const std::string& why) {
  const std::string reason = why.substr(0, std::min(why.find('\n'), refusal_bytes_max));
  if (status == 429) return {ErrorKind::limit_exceeded, reason, "the connection is used up for now: " + reason};
  const std::string what = "the connection does not let it pass: " + reason;
  return {ErrorKind::denied, what, what};
}

}  // namespace

Result<DavAnswer> DavSession::ask(const DavRequest& request, const Deadline& deadline) {
  for (bool is_second = false;; is_second = true) {
    const bool is_fresh = stream_ == nullptr;
    if (is_fresh) {
      ASSIGN_OR_RETURN(stream_, dial_(deadline));
    }
    bool has_begun = false;
    Result<DavAnswer> answer = exchange(request, has_begun, deadline);
    if (answer) {
      answer->was_repeated = is_second;
      return answer;
    }
    stream_.reset();
    // The server closed what was open since the last request: that says nothing of this one.
    const bool was_stale = !is_fresh && !has_begun && answer.error().kind == ErrorKind::unavailable;
    if (is_second || !was_stale || !request.may_be_repeated) return answer;
  }
}

Result<DavAnswer> DavSession::exchange(const DavRequest& request, bool& has_begun, const Deadline& deadline) {
  const std::string head = request.method + " " + request.path + " HTTP/1.1\r\nHost: server\r\n" + request.fields +
                           "Content-Length: " + std::to_string(request.body.size()) + "\r\n\r\n";
  http::ResponseReader reader;
  reader.expect(request.method);
  const auto gone = [](const Error& error) {
    return error.is_temporary() ? error : Error{ErrorKind::unavailable, "the session ended: " + error.detail};
  };
  if (const Status sent = stream_->write_all(head + request.body, deadline); !sent) return gone(sent.error());
  DavAnswer answer;
  while (!reader.is_complete()) {
    const Deadline patience{std::min(deadline.at, std::chrono::steady_clock::now() + silence_max), deadline.stop};
    const auto bytes = stream_->read_some(patience);
    if (!bytes) return gone(bytes.error());
    if (bytes->empty()) {
      reader.end_of_stream();
      if (reader.is_complete()) break;
      return Error{ErrorKind::unavailable, "the server ended the session in the middle of an answer"};
    }
    has_begun = true;
    if (const Status read = reader.receive(*bytes); !read) return Error{ErrorKind::corrupt, read.error().detail};
    answer.body += reader.take_body();
    if (answer.body.size() > request.answer_bytes_max) {
      answer.is_too_long = true;
      break;
    }
  }
  answer.body += reader.take_body();
  answer.status = reader.head().status;
  answer.etag = reader.head().field("etag");
  answer.location = reader.head().field("location");
  const bool is_too_much = answer.status == 429 || answer.status == 503;
  const auto rest =
      is_too_much ? http::parse_retry_after(reader.head().field("retry-after"), system_clock().now(), rest_max) : std::nullopt;
  if (rest && hear_rest_) hear_rest_(*rest);
  if (answer.is_too_long || !reader.may_be_kept()) stream_.reset();
  if (!reader.head().field("x-refused-by").empty()) return refusal_of(answer.status, answer.body);
  return answer;
}

}  // namespace mailhold::mailboxes
