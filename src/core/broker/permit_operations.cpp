// What people sign for, and workerd then acts upon: contents of a backup that leave as files, and restores. The ledger says so
// before anything is done, and what it came to.
#include <boost/json.hpp>

#include <algorithm>

#include "base/text.h"
#include "core/broker/broker.h"
#include "core/broker/broker_verbs.h"
#include "core/broker/use_policy.h"
#include "core/evidence/export_check.h"
#include "platform/crypto/hash.h"

namespace mailhold::broker {
namespace {

constexpr std::size_t text_bytes_max = 8192;
constexpr std::string_view export_arguments[] = {"mailbox", "form", "at", "folder", "item"};
constexpr std::string_view restore_arguments[] = {"mailbox", "into",  "reading", "connection", "at",     "folder",
                                                  "item",    "query", "to",      "overwrite",  "dry_run"};
constexpr std::string_view id_arguments[] = {"mailbox", "into", "reading", "connection", "item"};

Error unfit(const std::string& what) { return Error{ErrorKind::invalid_input, what, what}; }

// What an order to read a backup may say: nothing but what is known here, each in its form.
template <std::size_t count>
Status check_arguments(const access::Operation& operation, const std::string_view (&known)[count]) {
  for (const auto& [name, value] : operation.arguments) {
    if (std::find(std::begin(known), std::end(known), name) == std::end(known)) return unfit("it has no " + name);
    if (value.size() > text_bytes_max) return unfit(name + " is too long");
    if (name == "at" && !parse_iso8601(value)) return unfit("at must be a time in UTC");
    const bool is_id = std::find(std::begin(id_arguments), std::end(id_arguments), name) != std::end(id_arguments);
    if (is_id && !Id::parse(value)) return unfit(name + " must be 32 hex digits");
  }
  RETURN_IF_ERROR(operation.argument("mailbox"));
  return done();
}

Status check_export(const access::Operation& operation) {
  RETURN_IF_ERROR(check_arguments(operation, export_arguments));
  ASSIGN_OR_RETURN(const std::string form, operation.argument("form"));
  return form == "files" || form == "mbox" ? done() : Status(unfit("form must be files or mbox"));
}

Status check_restore(const access::Operation& operation) {
  RETURN_IF_ERROR(check_arguments(operation, restore_arguments));
  RETURN_IF_ERROR(operation.argument("at"));
  ASSIGN_OR_RETURN(const std::string mailbox, operation.argument("mailbox"));
  if (operation.argument_or("into", "") == mailbox) return unfit("that is the mailbox itself: leave the other one out");
  for (const char* name : {"overwrite", "dry_run"}) {
    if (operation.argument_or(name, "true") != "true") return unfit(std::string(name) + " can only be true");
  }
  return done();
}

boost::json::object shown_order(const access::Operation& operation) {
  boost::json::object shown{{"type", operation.type}};
  for (const auto& [name, value] : operation.arguments) shown[name] = value;
  return shown;
}

}  // namespace

// Once those have signed that must, it counts for a while; `until_name` is what the answer calls its end.
Result<std::string> Broker::allow(const Signed& order, Signatures signatures, const std::string& name,
                                  const std::string& until_name, const Deadline& deadline) {
  boost::json::object shown = shown_order(order.operation);
  if (signatures == Signatures::two) {
    ASSIGN_OR_RETURN(const bool waits, needs_second_person(order, deadline));
    if (waits) return wait_for_second_person(order.operation, boost::json::serialize(shown), deadline);
  }
  ASSIGN_OR_RETURN(const Milliseconds until, parts_.permits.allow(order.operation, deadline));
  shown[name] = to_hex(crypto::sha256(access::encode(order.operation)));
  shown[until_name] = to_iso8601(until);
  return boost::json::serialize(shown);
}

Result<std::string> Broker::allow_export(const Signed& order, const Deadline& deadline) {
  RETURN_IF_ERROR(check_export(order.operation));
  return allow(order, Signatures::two, "export", "may_be_written_until", deadline);
}

// The connection is named, so that a session can be opened to that mailbox and to no other one.
Result<std::string> Broker::allow_restore(const Signed& order, const Deadline& deadline) {
  const access::Operation& operation = order.operation;
  RETURN_IF_ERROR(check_restore(operation));
  const std::lock_guard lock(rules_mutex_);
  ASSIGN_OR_RETURN(const access::Connection writing, connection_in(operation, "connection", deadline));
  if (std::find(writing.purposes.begin(), writing.purposes.end(), restore_purpose) == writing.purposes.end())
    return unfit("the connection of that mailbox is not for restore.write");
  const bool is_into_another = operation.arguments.contains("into");
  if (writing.suspended && !is_into_another)
    return Error{ErrorKind::denied, "the connection is suspended: mailhold connection resume, which takes a second person"};
  ASSIGN_OR_RETURN(const bool is_own, goes_to_its_own_place(operation, writing, deadline));
  // It opens sessions that may write over whatever the connection reaches, not only over what is in the backup.
  const bool takes_two = !is_own || writes_over(operation, writing.kind);
  return allow(order, takes_two ? Signatures::two : Signatures::one, "restore", "may_be_carried_out_until", deadline);
}

// Of the operation's tenant, by the argument that names it.
Result<access::Connection> Broker::connection_in(const access::Operation& operation, const std::string& argument,
                                                 const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::string name, operation.argument(argument));
  ASSIGN_OR_RETURN(const Id id, Id::parse(name));
  ASSIGN_OR_RETURN(access::Connection connection, parts_.connections.find(id, deadline));
  if (connection.tenant != operation.tenant) return Error{ErrorKind::not_found, "no such connection of this tenant"};
  return connection;
}

// Whose mailbox it is, brokerd knows by the connections alone, which people have signed for; what was imported was read over
// none.
Result<bool> Broker::goes_to_its_own_place(const access::Operation& operation, const access::Connection& writing,
                                           const Deadline& deadline) {
  if (operation.arguments.contains("into") || !operation.arguments.contains("reading")) return false;
  ASSIGN_OR_RETURN(const access::Connection reading, connection_in(operation, "reading", deadline));
  return is_own_place(reading, writing);
}

// That it is acted upon now stands in the ledger before anything is.
Result<std::string> Broker::begin_export(std::string_view hash, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const access::Operation operation, permitted("export.allow", hash, deadline));
  RETURN_IF_ERROR(record({operation.tenant, {}, "export.begun", {{"operation", to_hex(hash)}}}, deadline));
  return access::encode(operation);
}

Result<std::string> Broker::begin_restore(std::string_view hash, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const access::Operation operation, permitted(restore_permit, hash, deadline));
  ledger::Entry entry{operation.tenant, {}, "restore.begun", {{"operation", to_hex(hash)}}};
  entry.fields["mailbox"] = operation.argument_or("mailbox", "");
  entry.fields["into"] = written_mailbox(operation);
  RETURN_IF_ERROR(record(std::move(entry), deadline));
  return access::encode(operation);
}

// One that was signed for something else is none.
Result<access::Operation> Broker::permitted(std::string_view type, std::string_view hash, const Deadline& deadline) {
  ASSIGN_OR_RETURN(access::Operation operation, parts_.permits.find(hash, deadline));
  const std::string what = "what was allowed is no " + std::string(type);
  if (operation.type != type) return Error{ErrorKind::denied, what, what};
  return operation;
}

Result<std::string> Broker::record_export(const ExportMade& made, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const access::Operation operation, parts_.permits.find_used(made.operation, deadline));
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

// Of which mailboxes it was, the operation says, not the worker.
Status Broker::record_restore(const RestoreMade& made, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const access::Operation operation, parts_.permits.find_used(made.operation, deadline));
  if (operation.type != restore_permit) return Error{ErrorKind::denied, "that was no restore"};
  ledger::Entry entry{operation.tenant, {}, "restore.made", {}};
  entry.fields = {{"operation", to_hex(made.operation)},
                  {"mailbox", operation.argument_or("mailbox", "")},
                  {"into", written_mailbox(operation)},
                  {"restored", static_cast<std::int64_t>(made.restored)},
                  {"present", static_cast<std::int64_t>(made.present)},
                  {"missing", static_cast<std::int64_t>(made.missing)},
                  {"differing", static_cast<std::int64_t>(made.differing)},
                  {"overwritten", static_cast<std::int64_t>(made.overwritten)},
                  {"dry_run", std::int64_t{made.is_dry_run ? 1 : 0}},
                  {"whole", std::int64_t{made.is_whole ? 1 : 0}}};
  return record(std::move(entry), deadline);
}

}  // namespace mailhold::broker
