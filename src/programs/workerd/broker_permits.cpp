#include "programs/workerd/broker_permits.h"

#include "base/text.h"

namespace mailhold::worker {
namespace {

Result<std::string> hash_of(const std::string& operation) {
  const auto hash = from_hex(operation);
  const std::string what = "an export is named by 64 hex digits, as export allow gives them";
  if (!hash || hash->size() != 32) return Error{ErrorKind::invalid_input, what, what};
  return *hash;
}

Result<recover::ExportRequest> request_of(const access::Operation& operation) {
  recover::ExportRequest request;
  ASSIGN_OR_RETURN(const std::string mailbox, operation.argument("mailbox"));
  ASSIGN_OR_RETURN(request.mailbox, Id::parse(mailbox));
  if (const auto at = parse_iso8601(operation.argument_or("at", ""))) request.as_of = *at;
  request.from = mailboxes::parse_path(operation.argument_or("folder", ""));
  if (const std::string item = operation.argument_or("item", ""); !item.empty()) {
    ASSIGN_OR_RETURN(request.item, Id::parse(item));
  }
  request.form = operation.argument_or("form", "") == "mbox" ? recover::ExportForm::mbox : recover::ExportForm::files;
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

}  // namespace mailhold::worker
