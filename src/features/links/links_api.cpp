#include "features/links/links_api.h"

#include <boost/json.hpp>

#include "base/text.h"
#include "formats/url/host.h"

namespace mailhold::links {
namespace {

namespace json = boost::json;

Result<std::string> text_of(const json::object& request, std::string_view name) {
  const json::value* value = request.if_contains(name);
  if (value == nullptr || !value->is_string() || value->as_string().empty()) {
    return Error{ErrorKind::invalid_input, "the request needs " + std::string(name)};
  }
  return std::string(value->as_string());
}

Result<std::string> check(const ClickService& service, const json::object& request) {
  ASSIGN_OR_RETURN(const std::string tenant_name, text_of(request, "tenant"));
  ASSIGN_OR_RETURN(const std::string address, text_of(request, "url"));
  ASSIGN_OR_RETURN(const Id tenant, service.find_tenant(tenant_name));
  ASSIGN_OR_RETURN(const ClickDecision decision, service.check(tenant, address));
  ASSIGN_OR_RETURN(const url::Url url, url::parse(address));
  json::array reasons;
  for (ClickReason reason : decision.reasons) reasons.emplace_back(name_of(reason));
  json::object answer{{"tenant", tenant.text()},
                      {"url", url.href()},
                      {"host", url.host},
                      {"readable_host", url::to_unicode(url.host)},
                      {"decision", name_of(decision.decision)},
                      {"reasons", std::move(reasons)}};
  if (!decision.resembled.empty()) answer["resembles"] = decision.resembled;
  return json::serialize(answer);
}

Result<std::string> open(const ClickService& service, const json::object& request, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::string link, text_of(request, "link"));
  ASSIGN_OR_RETURN(const LinkToken token, service.open(link, deadline));
  return json::serialize(json::object{{"tenant", token.tenant.text()},
                                      {"message", token.message.text()},
                                      {"wrapped_at", to_iso8601(token.wrapped_at)},
                                      {"url", token.url}});
}

Result<std::string> reload(ClickService& service) {
  ASSIGN_OR_RETURN(const Indicators::Loaded loaded, service.reload());
  return json::serialize(json::object{{"rules", loaded.rules}, {"refused", loaded.refused}});
}

}  // namespace

Result<std::string> answer_verb(ClickService& service, std::string_view request, const Deadline& deadline) {
  boost::system::error_code failed;
  const json::value parsed = json::parse({request.data(), request.size()}, failed);
  if (failed || !parsed.is_object()) return Error{ErrorKind::invalid_input, "a request is a JSON object"};
  const json::object& object = parsed.get_object();
  ASSIGN_OR_RETURN(const std::string verb, text_of(object, "verb"));
  if (verb == "link.check") return check(service, object);
  if (verb == "link.open") return open(service, object, deadline);
  if (verb == "link.reload") return reload(service);
  return Error{ErrorKind::not_found, "there is no verb " + verb};
}

}  // namespace mailhold::links
