#include "core/broker/connection_session.h"

namespace mailhold::broker {
namespace {

using namespace std::chrono_literals;

constexpr auto open_time = 60s;
constexpr auto session_time = 4h;
constexpr std::size_t reason_bytes_max = 96;

}  // namespace

Status ConnectionSession::open() {
  const Deadline deadline = Deadline::after(open_time);
  wire_.socket = ends_.server.get();
  wire_.stream = net::stream_over(ends_.server.release());
  switch (job_.connection.kind) {
    case access::ConnectionKind::imap: {
      ASSIGN_OR_RETURN(filter_, sign_in_imap(wire_, job_, secret_, deadline));
      return done();
    }
    case access::ConnectionKind::pop3: {
      ASSIGN_OR_RETURN(filter_, sign_in_pop3(wire_, job_, secret_, deadline));
      return done();
    }
    case access::ConnectionKind::http:
      http_ = std::make_unique<HttpSession>(job_, meter_);
      return http_->open(wire_, secret_, deadline);
    case access::ConnectionKind::ldap: {
      ASSIGN_OR_RETURN(filter_, sign_in_ldap(wire_, job_, secret_, deadline));
      return done();
    }
  }
  return Error{ErrorKind::bug, "a connection of no kind"};
}

SessionReport ConnectionSession::serve() {
  SessionReport report;
  report.end =
      http_ ? http_->serve(wire_, std::move(ends_.worker), Deadline::after(session_time))
            : relay(std::move(ends_.worker), *wire_.stream, wire_.socket, *filter_, meter_, {}, Deadline::after(session_time));
  if (report.end.size() > reason_bytes_max) report.end.resize(reason_bytes_max);
  report.refused = http_ ? http_->refused() : filter_->refused();
  report.items = meter_.used().items;
  report.bytes = meter_.used().bytes;
  report.unused = meter_.left();
  return report;
}

}  // namespace mailhold::broker
