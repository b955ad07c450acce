#include "core/broker/authd_session.h"

#include "core/broker/connection_session.h"
#include "core/broker/smtp_sign_in.h"
#include "core/broker/submission_messages.h"

namespace mailhold::broker {
namespace {

using namespace std::chrono_literals;

constexpr auto open_time = 90s;
constexpr auto session_time = 300s;  // from open to the last message begun
constexpr auto idle_time = 60s;      // for the gateway's next message
constexpr auto message_time = 900s;
constexpr std::uint32_t messages_max = 100;

}  // namespace

void AuthdSession::handle(const std::shared_ptr<ipc::Call>& call) {
  if (call->peer != "brokerd") return call->fail(Error{ErrorKind::denied, "only brokerd gives jobs"});
  if (call->method() == static_cast<std::uint16_t>(AuthdMethod::finish)) {
    if (!is_over_) return call->fail(Error{ErrorKind::not_found, "there was no session"});
    call->reply(encode(report_));
    return over_();
  }
  const bool is_connection = call->method() == static_cast<std::uint16_t>(AuthdMethod::connection_session);
  if (!is_connection && call->method() != static_cast<std::uint16_t>(AuthdMethod::session))
    return call->fail(Error{ErrorKind::unsupported, "no such method"});
  if (std::exchange(taken_, true)) return call->fail(Error{ErrorKind::denied, "this process has had its one job"});
  if (is_connection) return serve_connection(call);
  const auto job = parse_authd_job(call->body());
  auto& fds = call->fds();
  const std::size_t expected = job && !job->route.token_host.empty() ? 3 : 2;
  if (!job || fds.size() != expected) {
    call->fail(Error{ErrorKind::corrupt, "the job cannot be read"});
    return over_();
  }
  ipc::Channel gateway(std::move(fds[1]));
  auto session = open(*job, std::move(fds[0]), expected == 3 ? std::move(fds[2]) : ipc::OwnedFd());
  if (!session) {
    (void)gateway.send(encode(SubmissionFrame(SubmissionRefused{session.error()})), Deadline::after(5s));
    call->fail(session.error());
    return over_();
  }
  (void)gateway.send(encode(SubmissionFrame(SubmissionOpened{})), Deadline::after(5s));
  call->reply();
  serve_gateway(gateway, **session, job->envelope_id);
}

void AuthdSession::serve_connection(const std::shared_ptr<ipc::Call>& call) {
  auto job = parse_connection_job(call->body());
  auto& fds = call->fds();
  const std::size_t expected = job && !job->connection.token_host.empty() ? 4 : 3;
  if (!job || fds.size() != expected) {
    call->fail(Error{ErrorKind::corrupt, "the job cannot be read"});
    return over_();
  }
  ConnectionSession session(
      keys_, std::move(*job),
      {std::move(fds[0]), std::move(fds[1]), std::move(fds[2]), expected == 4 ? std::move(fds[3]) : ipc::OwnedFd()});
  if (const Status opened = session.open(); !opened) {
    call->fail(opened.error());
    return over_();
  }
  call->reply();
  report_ = session.serve();
  is_over_ = true;
}

Result<std::unique_ptr<SmtpSession>> AuthdSession::open(const AuthdJob& job, ipc::OwnedFd socket, ipc::OwnedFd token_server) {
  const access::Route& route = job.route;
  if (route.tls != access::RouteTls::required || policy_of(route).empty())
    return Error{ErrorKind::denied, "no credential goes anywhere without TLS"};
  net::TlsPeer peer;
  peer.name = route.name.empty() ? route.host : route.name;
  peer.ca_file = route.ca_file;
  peer.pins = route.pins;
  if (peer.ca_file.empty() && peer.pins.empty())
    return Error{ErrorKind::denied, "no credential goes to a server that is not verified"};
  ASSIGN_OR_RETURN(auto tls, net::TlsClient::create(peer));
  smtp::ClientSettings settings;
  settings.our_name = job.our_name;
  settings.tls = smtp::TlsRule::required;
  SmtpSignIn sign_in(keys_, job, std::move(token_server));
  const Deadline deadline = Deadline::after(open_time);
  sign_in.offer_to(settings, deadline);
  std::unique_ptr<net::Stream> stream = net::stream_over(socket.release());
  if (route.tls_from_start) {
    ASSIGN_OR_RETURN(stream, tls->start(std::move(stream), deadline));
    settings.tls_is_on = true;
  }
  return SmtpSession::open(std::move(stream), tls, std::move(settings), {}, deadline);
}

void AuthdSession::serve_gateway(ipc::Channel& gateway, SmtpSession& session, const std::string& envelope_id) {
  const auto last_start = std::chrono::steady_clock::now() + session_time;
  Status served = done();
  bool goes_on = true;
  while (served && goes_on) {
    served = serve_one(gateway, session, envelope_id, goes_on);
    if (std::chrono::steady_clock::now() > last_start) goes_on = false;
  }
  session.close(Deadline::after(5s));
  gateway.close();
  report_.end = served ? "closed" : "gateway or server left: " + served.error().detail.substr(0, 64);
  is_over_ = true;
}

Status AuthdSession::serve_one(ipc::Channel& gateway, SmtpSession& session, const std::string& envelope_id, bool& goes_on) {
  ASSIGN_OR_RETURN(const ipc::Frame first, gateway.receive(Deadline::after(idle_time)));
  ASSIGN_OR_RETURN(SubmissionFrame frame, parse_submission_frame(first.bytes));
  if (std::holds_alternative<SubmissionClose>(frame)) {
    goes_on = false;
    return done();
  }
  auto* submit = std::get_if<Submit>(&frame);
  if (submit == nullptr || submit->size > submission_bytes_max) return Error{ErrorKind::invalid_input, "a frame out of turn"};
  const Deadline deadline = Deadline::after(message_time);
  std::string body;
  body.reserve(submit->size);
  while (body.size() < submit->size) {
    ASSIGN_OR_RETURN(const ipc::Frame next, gateway.receive(deadline));
    ASSIGN_OR_RETURN(const SubmissionFrame part, parse_submission_frame(next.bytes));
    const auto* chunk = std::get_if<SubmissionChunk>(&part);
    if (chunk == nullptr || chunk->bytes.empty() || body.size() + chunk->bytes.size() > submit->size)
      return Error{ErrorKind::invalid_input, "a frame out of turn"};
    body += chunk->bytes;
  }
  if (submit->envelope.envelope_id.empty()) submit->envelope.envelope_id = envelope_id;
  ASSIGN_OR_RETURN(const smtp::SubmissionOutcome outcome, session.deliver(submit->envelope, body, deadline));
  ++report_.messages;
  report_.bytes += body.size();
  goes_on = session.is_open() && report_.messages < messages_max;
  return gateway.send(encode(SubmissionFrame(SubmissionResult{outcome, goes_on})), deadline);
}

}  // namespace mailhold::broker
