#include "programs/workerd/broker_permits.h"

#include "base/text.h"
#include "programs/workerd/brokered.h"

namespace mailhold::worker {
namespace {

Result<std::string> hash_of(const std::string& operation) {
  const auto hash = from_hex(operation);
  const std::string what = "what was allowed is named by 64 hex digits, as operation list shows them";
  if (!hash || hash->size() != 32) return Error{ErrorKind::invalid_input, what, what};
  return *hash;
}

// Of an argument that must be there.
Result<Id> id_in(const access::Operation& operation, const char* name) {
  ASSIGN_OR_RETURN(const std::string id, operation.argument(name));
  return Id::parse(id);
}

// None where the argument is not there.
Result<Id> id_if_in(const access::Operation& operation, const char* name) {
  return operation.arguments.contains(name) ? id_in(operation, name) : Id();
}

Result<recover::ExportRequest> request_of(const access::Operation& operation) {
  recover::ExportRequest request;
  ASSIGN_OR_RETURN(request.mailbox, id_in(operation, "mailbox"));
  if (const auto at = parse_iso8601(operation.argument_or("at", ""))) request.as_of = *at;
  request.from = mailboxes::parse_path(operation.argument_or("folder", ""));
  if (const std::string item = operation.argument_or("item", ""); !item.empty()) {
    ASSIGN_OR_RETURN(request.item, Id::parse(item));
  }
  request.form = operation.argument_or("form", "") == "mbox" ? recover::ExportForm::mbox : recover::ExportForm::files;
  return request;
}

Result<recover::RestoreRequest> restore_request_of(const access::Operation& operation) {
  recover::RestoreRequest request;
  ASSIGN_OR_RETURN(request.mailbox, id_in(operation, "mailbox"));
  ASSIGN_OR_RETURN(request.into, id_if_in(operation, "into"));
  const auto at = parse_iso8601(operation.argument_or("at", ""));
  if (!at) return Error{ErrorKind::corrupt, "a restore was signed for without a moment"};
  request.as_of = *at;
  request.from = mailboxes::parse_path(operation.argument_or("folder", ""));
  request.to = mailboxes::parse_path(operation.argument_or("to", ""));
  ASSIGN_OR_RETURN(request.item, id_if_in(operation, "item"));
  request.overwrites = operation.argument_or("overwrite", "") == "true";
  request.dry_run = operation.argument_or("dry_run", "") == "true";
  return request;
}

}  // namespace

Result<recover::ExportPermits::Permit> BrokerPermits::begin(const std::string& name, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::string hash, hash_of(name));
  ASSIGN_OR_RETURN(const access::Operation operation, brokerd_.begin_export(hash, deadline));
  ASSIGN_OR_RETURN(const recover::ExportRequest request, request_of(operation));
  return Permit{operation.tenant, request};
}

Result<std::string> BrokerPermits::record(const std::string& name, const recover::ExportReport& report,
                                          const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::string hash, hash_of(name));
  return brokerd_.record_export({hash, report.manifest_sha256, report.items, report.failed, report.bytes}, deadline);
}

Result<recover::RestorePermits::Permit> BrokerRestorePermits::begin(const std::string& name, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::string hash, hash_of(name));
  ASSIGN_OR_RETURN(const access::Operation operation, brokerd_.begin_restore(hash, deadline));
  Permit permit{operation.tenant, {}, {}, {}, operation.argument_or("query", "")};
  ASSIGN_OR_RETURN(permit.connection, id_in(operation, "connection"));
  ASSIGN_OR_RETURN(permit.reading, id_if_in(operation, "reading"));
  ASSIGN_OR_RETURN(permit.request, restore_request_of(operation));
  permit.request.permit = to_hex(hash);
  return permit;
}

std::unique_ptr<mailboxes::SessionSource> BrokerRestorePermits::sessions(const std::string& name) {
  const auto hash = hash_of(name);
  return std::make_unique<BrokerSessions>(brokerd_, hash ? *hash : std::string(32, '\0'));  // a name that is none opens nothing
}

std::unique_ptr<mailboxes::SessionSource> BrokerRestorePermits::reading_sessions(Id written) {
  return std::make_unique<BrokerSessions>(brokerd_, std::string(), written);
}

Status BrokerRestorePermits::record(const recover::RestoreReport& report, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::string hash, hash_of(report.request.permit));
  using recover::Outcome;
  return brokerd_.record_restore(
      {hash, report.count(Outcome::restored), report.count(Outcome::present) + report.count(Outcome::flags_set),
       report.count(Outcome::would), report.count(Outcome::differs) + report.count(Outcome::failed),
       report.count(Outcome::overwritten), report.request.dry_run, report.failure.empty()},
      deadline);
}

}  // namespace mailhold::worker
