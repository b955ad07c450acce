// Signed operations on retention and holds, and what workerd says it did because of them.
#include <boost/json.hpp>

#include "base/text.h"
#include "core/broker/broker.h"
#include "platform/crypto/hash.h"

namespace mailhold::broker {
namespace {

// What waits, as the second person must see it.
std::string json_of_arguments(const access::Operation& operation) {
  boost::json::object shown{{"type", operation.type}};
  for (const auto& [name, value] : operation.arguments) shown["sets " + name] = value;
  return boost::json::serialize(shown);
}

}  // namespace

Result<std::string> Broker::carry_out_on_keeping(const Signed& order, const Deadline& deadline) {
  std::string answer = "{\"done\":true}";
  const auto change = [&](const access::Keeping& before) -> Result<std::optional<access::Keeping>> {
    ASSIGN_OR_RETURN(access::Keeping after, access::changed_by(order.operation, before));
    if (access::keeps_less(before, after)) {
      ASSIGN_OR_RETURN(const bool waits, needs_second_person(order, deadline));
      if (waits) {
        ASSIGN_OR_RETURN(answer, wait_for_second_person(order.operation, json_of_arguments(order.operation), deadline));
        return std::optional<access::Keeping>();
      }
    }
    return std::optional(std::move(after));
  };
  RETURN_IF_ERROR(parts_.keeping.change(order.operation.tenant, change, deadline));
  return answer;
}

// Evidence of what was done by itself: what it may say is a short list of ids and counts.
Status Broker::take_report(const WorkReport& report, const Deadline& deadline) {
  ledger::Entry entry{report.tenant, {}, report.type, {}};
  entry.fields["mailbox"] = report.mailbox.text();
  for (const auto& [name, count] : report.counts) entry.fields[name] = static_cast<std::int64_t>(count);
  RETURN_IF_ERROR(record(std::move(entry), deadline));
  if (report.type != "mailbox.removed") return done();
  return parts_.keeping.change(
      report.tenant,
      [&](const access::Keeping& before) -> Result<std::optional<access::Keeping>> {
        access::Keeping after = before;
        std::erase_if(after.removals, [&](const access::Removal& each) { return each.mailbox == report.mailbox; });
        return std::optional(std::move(after));
      },
      deadline);
}

}  // namespace mailhold::broker
