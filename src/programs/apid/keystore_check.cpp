#include "programs/apid/keystore_check.h"

#include <algorithm>
#include <boost/json.hpp>

#include "base/log.h"
#include "base/text.h"
#include "core/access/operation.h"
#include "platform/ipc/messages.h"

namespace mailhold::apid {
namespace {

namespace json = boost::json;

constexpr std::uint64_t page = 100;

// The id of the event of the keystore that an entry tells of; none for other entries.
Result<Id> key_event_in(const std::string& clear_text) {
  const json::value parsed = json::parse(clear_text);
  const json::object& entry = parsed.as_object();
  const json::value* type = entry.if_contains("t");
  const json::value* event = entry.if_contains("event");
  if (type == nullptr || !type->is_string() || !type->as_string().starts_with("key.") || event == nullptr) return Id();
  return Id::parse(std::string_view(event->as_string()));
}

}  // namespace

Result<std::vector<std::string>> KeystoreCheck::region_entries(std::uint64_t from, std::uint64_t limit,
                                                               const Deadline& deadline) {
  const json::object question{
      {"verb", "ledger.show"}, {"tenant", access::region_tenant().text()}, {"from", from}, {"limit", limit}};
  ASSIGN_OR_RETURN(const ipc::Frame reply, ledgerd_.call(ipc::method_api, json::serialize(question), deadline));
  std::vector<std::string> entries;
  const json::value answer = json::parse(reply.bytes);
  for (const json::value& entry : answer.at("entries").as_array())
    entries.push_back(from_base64url(std::string_view(entry.at("entry").as_string())).value_or(""));
  return entries;
}

// They are numbered from 1 without a gap.
Result<std::uint64_t> KeystoreCheck::count_region_entries(const Deadline& deadline) {
  std::uint64_t there = 0, missing = 1;
  for (;;) {
    ASSIGN_OR_RETURN(const auto found, region_entries(missing, 1, deadline));
    if (found.empty()) break;
    there = missing;
    missing *= 2;
  }
  while (missing - there > 1) {
    const std::uint64_t middle = there + (missing - there) / 2;
    ASSIGN_OR_RETURN(const auto found, region_entries(middle, 1, deadline));
    (found.empty() ? missing : there) = middle;
  }
  return there;
}

Result<Id> KeystoreCheck::newest_key_event(const Deadline& deadline) {
  ASSIGN_OR_RETURN(std::uint64_t last, count_region_entries(deadline));
  while (last > 0) {
    const std::uint64_t from = last > page ? last - page + 1 : 1;
    ASSIGN_OR_RETURN(auto entries, region_entries(from, last - from + 1, deadline));
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
      ASSIGN_OR_RETURN(const std::string clear_text, opener_.open(*entry, access::region_tenant(), deadline));
      ASSIGN_OR_RETURN(const Id event, key_event_in(clear_text));
      if (!event.is_none()) return event;
    }
    last = from - 1;
  }
  return Id();
}

Status KeystoreCheck::run(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const keys::KeyStatus status, keys_.status(deadline));
  if (status.seal != keys::Seal::unsealed) return Error{ErrorKind::unavailable, "the region is sealed"};
  if (status.confirmed) return done();
  ASSIGN_OR_RETURN(const Id newest, newest_key_event(deadline));
  const Status confirmed = keys_.confirm(newest, accept_, deadline);
  if (confirmed) {
    accept_ = false;
    return done();
  }
  if (confirmed.error().kind != ErrorKind::denied) return confirmed;
  log_error("keys", confirmed.error().detail + "; the region is sealed");
  const auto recorded =
      ledger_.append({access::region_tenant(), {}, "key.older_copy_refused", {{"newest", newest.text()}}}, deadline);
  if (!recorded) log_warning("keys", "the older copy could not be recorded: " + recorded.error().detail);
  RETURN_IF_ERROR(keys_.seal(deadline));
  return confirmed;
}

}  // namespace mailhold::apid
