#include "core/broker/broker_client.h"

namespace mailhold::broker {

Result<access::RouteTable> BrokerClient::routes(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const ipc::Frame reply, brokerd_->call(static_cast<std::uint16_t>(Method::routes), {}, deadline));
  return access::parse_routes(reply.bytes);
}

Result<access::Keeping> BrokerClient::keeping(Id tenant, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const ipc::Frame reply, brokerd_->call(static_cast<std::uint16_t>(Method::keeping), tenant.bytes(), deadline));
  return access::parse_keeping(reply.bytes);
}

Status BrokerClient::report(const WorkReport& report, const Deadline& deadline) {
  RETURN_IF_ERROR(brokerd_->call(static_cast<std::uint16_t>(Method::report), encode(report), deadline));
  return done();
}

Result<access::Operation> BrokerClient::begin_export(std::string_view operation, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const ipc::Frame reply, brokerd_->call(static_cast<std::uint16_t>(Method::begin_export), operation, deadline));
  return access::parse_operation(reply.bytes);
}

Result<std::string> BrokerClient::record_export(const ExportMade& made, const Deadline& deadline) {
  ASSIGN_OR_RETURN(ipc::Frame reply, brokerd_->call(static_cast<std::uint16_t>(Method::record_export), encode(made), deadline));
  return std::move(reply.bytes);
}

Result<access::Operation> BrokerClient::begin_restore(std::string_view operation, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const ipc::Frame reply,
                   brokerd_->call(static_cast<std::uint16_t>(Method::begin_restore), operation, deadline));
  return access::parse_operation(reply.bytes);
}

Status BrokerClient::record_restore(const RestoreMade& made, const Deadline& deadline) {
  RETURN_IF_ERROR(brokerd_->call(static_cast<std::uint16_t>(Method::record_restore), encode(made), deadline));
  return done();
}

Result<std::shared_ptr<ipc::Channel>> BrokerClient::open_session(Id tenant, Id route, Id job, const Deadline& deadline) {
  ASSIGN_OR_RETURN(ipc::Frame reply,
                   brokerd_->call(static_cast<std::uint16_t>(Method::open_session), encode({tenant, route, job}), deadline));
  if (reply.fds.size() != 1) return Error{ErrorKind::corrupt, "brokerd gave no channel"};
  return std::make_shared<ipc::Channel>(std::move(reply.fds.front()));
}

Result<ipc::OwnedFd> BrokerClient::open(const OpenConnection& request, const Deadline& deadline) {
  ASSIGN_OR_RETURN(ipc::Frame reply,
                   brokerd_->call(static_cast<std::uint16_t>(Method::open_connection), encode(request), deadline));
  if (reply.fds.size() != 1) return Error{ErrorKind::corrupt, "brokerd gave no session"};
  return std::move(reply.fds.front());
}

Result<ipc::OwnedFd> BrokerClient::open_imap_session(Id connection, std::string_view purpose, Id job, const Deadline& deadline,
                                                     Id tenant, std::string_view permit, Id written) {
  return open({connection, access::ConnectionKind::imap, std::string(purpose), job, tenant, std::string(permit), written},
              deadline);
}
Result<ipc::OwnedFd> BrokerClient::open_pop3_session(Id connection, std::string_view purpose, Id job, const Deadline& deadline) {
  return open({connection, access::ConnectionKind::pop3, std::string(purpose), job}, deadline);
}
Result<ipc::OwnedFd> BrokerClient::open_http_session(Id connection, std::string_view purpose, Id job, const Deadline& deadline,
                                                     Id tenant, std::string_view permit, Id written) {
  return open({connection, access::ConnectionKind::http, std::string(purpose), job, tenant, std::string(permit), written},
              deadline);
}
Result<ipc::OwnedFd> BrokerClient::open_ldap_session(Id connection, std::string_view purpose, Id job, const Deadline& deadline) {
  return open({connection, access::ConnectionKind::ldap, std::string(purpose), job}, deadline);
}

}  // namespace mailhold::broker
