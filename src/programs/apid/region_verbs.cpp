#include "programs/apid/region_verbs.h"

#include <boost/json.hpp>

#include "base/log.h"
#include "base/text.h"
#include "core/access/operation.h"
#include "core/keys/key_messages.h"
#include "platform/ipc/messages.h"

namespace mailhold::apid {
namespace {

namespace json = boost::json;

std::string name_of(keys::Seal seal) {
  return seal == keys::Seal::unsealed ? "unsealed" : seal == keys::Seal::sealed ? "sealed" : "uninitialised";
}

json::object key_object(const keys::KeyStatus& status) {
  return {{"seal", name_of(status.seal)},
          {"region", status.region},
          {"tenants", status.tenants},
          {"memory_is_secret", status.memory_is_secret},
          {"ledger_key", to_base64(status.ledger_verifying_key)}};
}

}  // namespace

Result<std::string> RegionVerbs::key(const std::string& verb, api::Request& request, const Deadline& deadline) {
  if (verb == "key.status") {
    ASSIGN_OR_RETURN(const keys::KeyStatus status, parts_.keys.status(deadline));
    return json::serialize(key_object(status));
  }
  if (verb != "key.initialise" && verb != "key.unseal") return Error{ErrorKind::not_found, "there is no verb " + verb};
  if (request.fds.size() != 1) return Error{ErrorKind::invalid_input, verb + " needs the passphrase as a descriptor"};
  const auto method = verb == "key.unseal" ? keys::Method::unseal : keys::Method::initialise;
  const int fds[] = {request.fds.front().get()};
  RETURN_IF_ERROR(parts_.keyd->call(static_cast<std::uint16_t>(method), {}, fds, deadline));
  // The region keeps its own events in the ledger as a tenant of its own.
  if (const Status created = parts_.keys.create_tenant(access::region_tenant(), deadline);
      !created && created.error().kind != ErrorKind::already_exists) {
    return created.error();
  }
  ASSIGN_OR_RETURN(const keys::KeyStatus status, parts_.keys.status(deadline));
  return json::serialize(key_object(status));
}

Result<std::string> RegionVerbs::show_ledger(const std::string& request, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const ipc::Frame reply, parts_.ledgerd->call(ipc::method_api, request, deadline));
  json::object answer = json::parse(reply.bytes).as_object();
  const std::string tenant_text(json::parse(request).as_object().at("tenant").as_string());
  ASSIGN_OR_RETURN(const Id tenant, Id::parse(tenant_text));
  for (json::value& value : answer.at("entries").as_array()) {
    json::object& entry = value.as_object();
    const auto bytes = from_base64url(std::string_view(entry.at("entry").as_string()));
    auto clear = parts_.opener.open(bytes.value_or(""), tenant, deadline);
    // An entry that does not open is shown as that: it must not hide the others.
    entry["event"] =
        clear ? json::parse(*clear) : json::value{{"unreadable", std::string(mailhold::name_of(clear.error().kind))}};
    entry.erase("entry");
  }
  return json::serialize(answer);
}

Result<std::string> RegionVerbs::status(const Deadline& deadline) {
  json::object status;
  const auto keys = parts_.keys.status(deadline);
  status["keys"] = keys ? json::value(key_object(*keys)) : json::value{{"error", keys.error().detail}};
  const auto ask = [&](ipc::Client& peer, const char* verb) -> json::value {
    const auto reply = peer.call(ipc::method_api, json::serialize(json::object{{"verb", verb}}), deadline);
    if (!reply) return json::value{{"error", reply.error().detail}};
    return json::parse(reply->bytes);
  };
  status["supervisor"] = ask(*parts_.supervisor, "status");
  status["ledger"] = ask(*parts_.ledgerd, "ledger.status");
  return json::serialize(status);
}

}  // namespace mailhold::apid
