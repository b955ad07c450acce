// Exports: two people sign that contents of a backup may leave; workerd acts upon it, and the ledger says so before and after.
#include <boost/json.hpp>

#include "base/text.h"
#include "core/broker/broker.h"
#include "core/broker/broker_verbs.h"
#include "core/evidence/export_check.h"
#include "platform/crypto/hash.h"

namespace mailhold::broker {
namespace {

constexpr std::size_t folder_bytes_max = 8192;

Error unfit(const std::string& what) { return Error{ErrorKind::invalid_input, what, what}; }

Status check_export(const access::Operation& operation) {
  ASSIGN_OR_RETURN(const std::string mailbox, operation.argument("mailbox"));
  ASSIGN_OR_RETURN(const std::string form, operation.argument("form"));
  for (const auto& [name, value] : operation.arguments) {
    if (name != "mailbox" && name != "form" && name != "at" && name != "folder" && name != "item")
      return unfit("an export has no " + name);
  }
  if (!Id::parse(mailbox)) return unfit("mailbox must be 32 hex digits");
  if (form != "files" && form != "mbox") return unfit("form must be files or mbox");
  if (const std::string at = operation.argument_or("at", ""); !at.empty() && !parse_iso8601(at))
    return unfit("at must be a time in UTC");
  if (const std::string item = operation.argument_or("item", ""); !item.empty() && !Id::parse(item))
    return unfit("item must be 32 hex digits");
  if (operation.argument_or("folder", "").size() > folder_bytes_max) return unfit("folder is too long");
  return done();
}

}  // namespace

Result<std::string> Broker::allow_export(const Signed& order, const Deadline& deadline) {
  RETURN_IF_ERROR(check_export(order.operation));
  boost::json::object shown{{"type", order.operation.type}};
  for (const auto& [name, value] : order.operation.arguments) shown[name] = value;
  ASSIGN_OR_RETURN(const bool waits, needs_second_person(order, deadline));
  if (waits) return wait_for_second_person(order.operation, boost::json::serialize(shown), deadline);
  ASSIGN_OR_RETURN(const Milliseconds until, parts_.permits.allow(order.operation, deadline));
  shown["export"] = to_hex(crypto::sha256(access::encode(order.operation)));
  shown["may_be_written_until"] = to_iso8601(until);
  return boost::json::serialize(shown);
}

// That it is written now stands in the ledger before anything is.
Result<std::string> Broker::begin_export(std::string_view hash, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const access::Operation operation, parts_.permits.find(hash, deadline));
  RETURN_IF_ERROR(record({operation.tenant, {}, "export.begun", {{"operation", to_hex(hash)}}}, deadline));
  return access::encode(operation);
}

Result<std::string> Broker::record_export(const ExportMade& made, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const access::Operation operation, parts_.permits.find(made.operation, deadline));
  ASSIGN_OR_RETURN(const std::string mailbox, operation.argument("mailbox"));
  ledger::Entry entry{operation.tenant, {}, std::string(ledger::export_entry_type), {}};
  entry.fields = {{"operation", to_hex(made.operation)},
                  {"mailbox", mailbox},
                  {"manifest", to_hex(made.manifest_sha256)},
                  {"items", static_cast<std::int64_t>(made.items)},
                  {"failed", static_cast<std::int64_t>(made.failed)},
                  {"bytes", static_cast<std::int64_t>(made.bytes)}};
  ASSIGN_OR_RETURN(const ledger::Receipt receipt, parts_.ledger.append(entry, deadline));
  return receipt.encode();
}

}  // namespace mailhold::broker
