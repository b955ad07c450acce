#include "features/gateway/inbound/inbound_api.h"

#include <boost/json.hpp>

namespace mailhold::gateway {
namespace {

namespace json = boost::json;

json::object status_of(const Inbound& inbound, const DirectoryLease& directory) {
  const InboundCounts& counts = inbound.counts();
  json::object reasons;
  for (const auto& [code, count] : counts.reasons()) reasons[code] = count;
  const bool ready = directory.current() != nullptr;
  return {{"state", inbound.is_paused() ? "paused"
                    : ready             ? "accepting"
                                        : "waiting for the directory"},
          {"connections_open", counts.connections_open.load()},
          {"connections", counts.connections.load()},
          {"connections_refused", counts.connections_refused.load()},
          {"tls_sessions", counts.tls_sessions.load()},
          {"timeouts", counts.timeouts.load()},
          {"recipients_refused", counts.recipients_refused.load()},
          {"accepted", counts.accepted.load()},
          {"held", counts.held.load()},
          {"rejected", counts.rejected.load()},
          {"tempfailed", counts.tempfailed.load()},
          {"bytes_accepted", counts.bytes_accepted.load()},
          {"waiting_for_scan", inbound.messages_waiting_for_scan()},
          {"reasons", std::move(reasons)},
          {"directory_version", directory.version()},
          {"directory_age_seconds", directory.age().count()}};
}

}  // namespace

Result<std::string> answer_verb(Inbound& inbound, const DirectoryLease& directory, std::string_view request) {
  boost::system::error_code failed;
  const json::value parsed = json::parse({request.data(), request.size()}, failed);
  const json::value* found = !failed && parsed.is_object() ? parsed.get_object().if_contains("verb") : nullptr;
  if (found == nullptr || !found->is_string()) return Error{ErrorKind::invalid_input, "a request is a JSON object with a verb"};
  const std::string_view verb(found->get_string());
  if (verb == "gateway.pause")
    inbound.pause(true);
  else if (verb == "gateway.resume")
    inbound.pause(false);
  else if (verb != "gateway.status")
    return Error{ErrorKind::not_found, "there is no verb " + std::string(verb)};
  return json::serialize(status_of(inbound, directory));
}

}  // namespace mailhold::gateway
