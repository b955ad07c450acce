#include "programs/apid/region_verbs.h"

#include <algorithm>
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

json::object seal_object(const keys::SealInfo& seal) {
  json::object object{{"seal", seal.id.text()}, {"kind", keys::name_of(seal.kind)}, {"created_at", seal.created_at}};
  if (seal.kind == keys::SealKind::shamir)
    object["shares"] = std::to_string(seal.threshold) + " of " + std::to_string(seal.shares);
  if (!seal.token.empty()) object["token"] = seal.token;
  object["root_version"] = seal.root_version;
  if (!seal.has_key_pair) object["note"] = "of an older format: open it once, by unseal or recovery drill";
  if (seal.drilled_at != 0) object["drilled_at"] = seal.drilled_at;
  return object;
}

json::object rotation_object(const keys::RotationProgress& each) {
  json::object object{{"scope", each.tenant.is_none() ? "region"
                                : each.day == 0       ? "tenant"
                                                      : "day"},
                      {"done", each.done},
                      {"total", each.total},
                      {"started_at", each.started_at}};
  if (!each.tenant.is_none()) object["tenant"] = each.tenant.text();
  if (each.day != 0) object["day"] = each.day;
  return object;
}

// One line each, as in "R19: unknown program 3f2a...".
json::array alarms_of(const std::vector<keys::HostFinding>& findings) {
  json::array alarms;
  for (const auto& each : findings) alarms.push_back(json::string("R19: " + each.kind + " " + each.subject + each.detail));
  return alarms;
}

json::object key_object(const keys::KeyStatus& status) {
  json::array seals;
  for (const auto& seal : status.seals) seals.push_back(seal_object(seal));
  json::array rotations;
  for (const auto& each : status.rotations) rotations.push_back(rotation_object(each));
  json::object object{{"seal", name_of(status.seal)},
                      {"region", status.region},
                      {"tenants", status.tenants},
                      {"region_key_version", status.region_version},
                      {"root_version", status.root_version},
                      {"compared_with_ledger", status.confirmed},
                      {"memory_is_secret", status.memory_is_secret},
                      {"ledger_key", to_base64(status.ledger_verifying_key)},
                      {"seals", seals},
                      {"rotations", rotations}};
  object["host"] = !status.host_is_asked ? "not asked" : status.host_findings.empty() ? "as recorded" : "not as recorded";
  if (status.seals.size() == 1) object["warning"] = "only one seal opens this region: add another with `mailhold key add-seal`";
  return object;
}

std::string text_of(const json::object& request, std::string_view name) {
  const json::value* found = request.if_contains(name);
  return found != nullptr && found->is_string() ? std::string(found->as_string()) : "";
}

std::int64_t number_of(const json::object& request, std::string_view name) {
  const json::value* found = request.if_contains(name);
  return found != nullptr && found->is_number() ? found->to_number<std::int64_t>() : 0;
}

Result<keys::SealKind> kind_of(std::string_view name) {
  for (const auto kind : {keys::SealKind::passphrase, keys::SealKind::shamir, keys::SealKind::pkcs11}) {
    if (name == keys::name_of(kind)) return kind;
  }
  return Error{ErrorKind::invalid_input, "a seal is a passphrase, shamir or pkcs11"};
}

Result<std::vector<keys::SealRequest>> seals_of(const json::object& request) {
  std::vector<keys::SealRequest> seals;
  const json::value* list = request.if_contains("seals");
  if (list == nullptr || !list->is_array()) return Error{ErrorKind::invalid_input, "the request needs seals"};
  for (const json::value& each : list->as_array()) {
    if (!each.is_object()) return Error{ErrorKind::invalid_input, "a seal is an object"};
    keys::SealRequest seal;
    ASSIGN_OR_RETURN(seal.kind, kind_of(text_of(each.as_object(), "kind")));
    const std::int64_t threshold = number_of(each.as_object(), "threshold");
    const std::int64_t shares = number_of(each.as_object(), "shares");
    if (threshold < 0 || threshold > 255 || shares < 0 || shares > 255)
      return Error{ErrorKind::invalid_input, "there are at most 255 shares"};
    seal.threshold = static_cast<std::uint8_t>(threshold);
    seal.shares = static_cast<std::uint8_t>(shares);
    seal.token = text_of(each.as_object(), "token");
    seals.push_back(std::move(seal));
  }
  return seals;
}

}  // namespace

Result<std::string> RegionVerbs::key(const std::string& verb, api::Request& request, const Deadline& deadline) {
  if (verb == "key.status") return key_status(deadline);
  if (verb == "key.rotate") return rotate(request.json, deadline);
  if (verb == "key.accept-older-copy") {
    {
      const std::lock_guard lock(carrying_);
      keystore_check_.accept_once();
    }
    return key_status(deadline);
  }
  if (verb == "key.remove-seal") {
    ASSIGN_OR_RETURN(const Id seal, Id::parse(text_of(json::parse(request.json).as_object(), "seal")));
    RETURN_IF_ERROR(parts_.keys.remove_seal(seal, deadline));
    ASSIGN_OR_RETURN(const keys::KeyStatus status, parts_.keys.status(deadline));
    json::object answer = key_object(status);
    answer["note"] =
        "Copies of the keystore from before still open with that seal: `mailhold key rotate root` makes a root that it never "
        "opened.";
    return json::serialize(answer);
  }
  return ceremony(verb, request, deadline);
}

Result<std::string> RegionVerbs::key_status(const Deadline& deadline) {
  ASSIGN_OR_RETURN(const keys::KeyStatus status, parts_.keys.status(deadline));
  return json::serialize(key_object(status));
}

Result<std::string> RegionVerbs::ceremony(const std::string& verb, api::Request& request, const Deadline& deadline) {
  const json::value parsed = json::parse(request.json);
  std::string body;
  keys::Method method{};
  std::size_t descriptors = 1;
  if (verb == "key.unseal" || verb == "key.drill") {
    ASSIGN_OR_RETURN(const keys::SealKind kind, kind_of(text_of(parsed.as_object(), "kind")));
    method = verb == "key.unseal" ? keys::Method::unseal : keys::Method::drill;
    body = keys::encode_kind(kind);
  } else if (verb == "key.initialise" || verb == "key.add-seal") {
    ASSIGN_OR_RETURN(const auto seals, seals_of(parsed.as_object()));
    method = verb == "key.initialise" ? keys::Method::initialise : keys::Method::add_seal;
    body = keys::encode_seals(seals);
    descriptors = 2;
  } else {
    return Error{ErrorKind::not_found, "there is no verb " + verb};
  }
  if (request.fds.size() != descriptors) return Error{ErrorKind::invalid_input, verb + " needs its secrets as descriptors"};
  std::vector<int> fds;
  for (const ipc::OwnedFd& each : request.fds) fds.push_back(each.get());
  ASSIGN_OR_RETURN(const ipc::Frame reply, parts_.keyd->call(static_cast<std::uint16_t>(method), body, fds, deadline));
  if (method == keys::Method::drill) {
    ASSIGN_OR_RETURN(const keys::SealInfo drilled, keys::parse_seal_info(reply.bytes));
    return json::serialize(seal_object(drilled));
  }
  if (method == keys::Method::unseal) {
    ASSIGN_OR_RETURN(const auto progress, keys::parse_progress(reply.bytes));
    if (!progress.unsealed)
      return json::serialize(
          json::object{{"seal", "sealed"}, {"shares_given", progress.shares_given}, {"shares_needed", progress.shares_needed}});
  }
  // The region keeps its own events in the ledger as a tenant of its own.
  if (const Status created = parts_.keys.create_tenant(access::region_tenant(), deadline);
      !created && created.error().kind != ErrorKind::already_exists) {
    return created.error();
  }
  return key_status(deadline);
}

Result<std::string> RegionVerbs::rotate(const std::string& request_json, const Deadline& deadline) {
  const json::value parsed = json::parse(request_json);
  const json::object& request = parsed.as_object();
  keys::RotateRequest wanted;
  const std::string scope = text_of(request, "scope");
  constexpr std::pair<std::string_view, keys::RotationScope> scopes[] = {{"root", keys::RotationScope::root},
                                                                         {"region", keys::RotationScope::region},
                                                                         {"tenant", keys::RotationScope::tenant},
                                                                         {"day", keys::RotationScope::day},
                                                                         {"connection", keys::RotationScope::connection}};
  const auto found = std::find_if(std::begin(scopes), std::end(scopes), [&](const auto& each) { return each.first == scope; });
  if (found == std::end(scopes))
    return Error{ErrorKind::invalid_input, "what rotates is the root, the region, a tenant, a day or a connection"};
  wanted.scope = found->second;
  if (wanted.scope != keys::RotationScope::region && wanted.scope != keys::RotationScope::root) {
    ASSIGN_OR_RETURN(wanted.tenant, Id::parse(text_of(request, "tenant")));
  }
  if (wanted.scope == keys::RotationScope::connection) {
    ASSIGN_OR_RETURN(wanted.connection, Id::parse(text_of(request, "connection")));
  }
  wanted.day = static_cast<std::uint32_t>(number_of(request, "day"));
  RETURN_IF_ERROR(parts_.keys.rotate(wanted, deadline));
  return key_status(deadline);
}

Status RegionVerbs::record_shred(const std::string& verb, const std::string& request_json, const Deadline& deadline) {
  const json::value parsed = json::parse(request_json);
  const json::object& request = parsed.as_object();
  ASSIGN_OR_RETURN(const Id tenant, Id::parse(text_of(request, "tenant")));
  ledger::Entry entry{tenant, {}, verb == "message.shred" ? "message.shred" : "message.shred_day", {}};
  if (verb == "message.shred") {
    ASSIGN_OR_RETURN(const Id message, Id::parse(text_of(request, "id")));
    entry.fields["message"] = message.text();
  } else {
    entry.fields["day"] = number_of(request, "day");
  }
  RETURN_IF_ERROR(parts_.ledger.append(entry, deadline));
  return done();
}

Result<std::string> RegionVerbs::backup(const std::string& request_json, const Deadline& deadline) {
  const json::value parsed = json::parse(request_json);
  const json::object& request = parsed.as_object();
  if (text_of(request, "verb") == "backup.record-prune") {
    RETURN_IF_ERROR(parts_.ledger.append(
        {access::region_tenant(), {}, "backup.keys_deleted", {{"backups", std::to_string(number_of(request, "backups"))}}},
        deadline));
    return json::serialize(json::object{{"recorded", true}});
  }
  if (text_of(request, "verb") != "backup.record") return Error{ErrorKind::not_found, "there is no such verb of backup"};
  const std::string manifest = text_of(request, "manifest");
  if (manifest.size() != 64) return Error{ErrorKind::invalid_input, "a manifest is named by its SHA-256"};
  RETURN_IF_ERROR(parts_.ledger.append({access::region_tenant(),
                                        {},
                                        "backup.made",
                                        {{"manifest", manifest},
                                         {"files", std::to_string(number_of(request, "files"))},
                                         {"bytes", std::to_string(number_of(request, "bytes"))}}},
                                       deadline));
  return json::serialize(json::object{{"recorded", true}});
}

Status RegionVerbs::carry_events(const Deadline& deadline) {
  const std::lock_guard lock(carrying_);
  RETURN_IF_ERROR(keystore_check_.run(deadline));
  for (;;) {
    ASSIGN_OR_RETURN(const std::vector<keys::KeyEvent> events, parts_.keys.events(deadline));
    if (events.empty()) return done();
    for (const keys::KeyEvent& event : events) {
      ledger::Entry entry{access::region_tenant(), {}, event.name, {}};
      for (const auto& [name, value] : event.fields) entry.fields[name] = value;
      entry.fields["event"] = event.id.text();
      entry.fields["at"] = std::to_string(event.time);
      if (!event.tenant.is_none()) entry.fields["of"] = event.tenant.text();
      RETURN_IF_ERROR(parts_.ledger.append(entry, deadline));
      RETURN_IF_ERROR(parts_.keys.forget_event(event.id, deadline));
    }
  }
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
  if (keys && !keys->host_findings.empty()) status["alarms"] = alarms_of(keys->host_findings);
  return json::serialize(status);
}

}  // namespace mailhold::apid
