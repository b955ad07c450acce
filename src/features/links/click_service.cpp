#include "features/links/click_service.h"

#include "base/text.h"

namespace mailhold::links {
namespace {

constexpr Milliseconds continuation_milliseconds = 15 * 60 * 1000;

http::Response broken_link(Language language) { return notice_page(language, Notice::broken_link, 404); }
http::Response try_again(Language language) { return notice_page(language, Notice::try_again, 503); }

http::Response robots() {
  return {200, {{"Content-Type", "text/plain"}, {"Cache-Control", "max-age=86400"}}, "User-agent: *\nDisallow: /\n"};
}

http::Response method_not_allowed(Language language) {
  http::Response response = notice_page(language, Notice::bad_request, 405);
  response.fields.emplace_back("Allow", "GET, HEAD, POST");
  return response;
}

// The proof out of "continue=<proof>", the whole body of our form; empty if it is another body.
std::string_view proof_in(const http::Request& request) {
  constexpr std::string_view name = "continue=";
  const std::string_view body = request.body;
  return body.starts_with(name) ? body.substr(name.size()) : std::string_view();
}

// Another site's page must not push a reader past the warning. Browsers say where a form stood.
bool comes_from_elsewhere(const http::Request& request) {
  const std::string_view site = request.field("sec-fetch-site");
  return !site.empty() && site != "same-origin";
}

}  // namespace

ClickService::ClickService(LinkKeySource keys, Indicators& indicators, const Clock& clock,
                           std::function<void(const ClickEvent&)> record)
    : keys_(std::move(keys)), indicators_(indicators), clock_(clock), record_(std::move(record)) {}

void ClickService::set_policies(const LinkPolicies& policies) {
  auto rules = std::make_shared<Rules>();
  for (const auto& [tenant, policy] : policies.tenants) rules->emplace(tenant, ClickRules::from(policy));
  const std::lock_guard lock(mutex_);
  rules_ = std::move(rules);
}

std::shared_ptr<const ClickService::Rules> ClickService::rules() const {
  const std::lock_guard lock(mutex_);
  return rules_;
}

http::Response ClickService::answer(const http::Request& request, const Deadline& deadline) const {
  const Language language = preferred_language(request.field("accept-language"));
  const bool is_read = request.method == "GET" || request.method == "HEAD";
  if (!is_read && request.method != "POST") return method_not_allowed(language);
  if (request.target == "/") return notice_page(language, Notice::home, 200);
  if (is_read && request.target == "/robots.txt") return robots();
  return answer_link(request, language, deadline);
}

http::Response ClickService::answer_link(const http::Request& request, Language language, const Deadline& deadline) const {
  const Result<WrappedPath> link = split_link(request.target);
  if (!link || link->host.empty()) return broken_link(language);
  if (link->token == too_long_token) return notice_page(language, Notice::too_long, 403);
  const std::optional<Id> tenant = tenant_named_in(link->token.substr(0, link->token.find('+')));
  if (!tenant) return broken_link(language);
  const std::shared_ptr<const Rules> all = rules();
  if (!all) return try_again(language);
  // A tenant that is not ours is not worth a question to keyd.
  const auto rules_of_tenant = all->find(*tenant);
  if (rules_of_tenant == all->end()) return broken_link(language);
  return follow(request, language, *link, rules_of_tenant->second, deadline);
}

http::Response ClickService::follow(const http::Request& request, Language language, const WrappedPath& link,
                                    const ClickRules& rules, const Deadline& deadline) const {
  const bool wants_preview = link.token.ends_with('+');
  const WrappedPath bare{link.host, link.token.substr(0, link.token.size() - (wants_preview ? 1 : 0))};
  const Result<LinkToken> token = open_token(bare.token, keys_, deadline);
  if (!token) return token.error().is_temporary() ? try_again(language) : broken_link(language);
  if (readable_host(token->url) != bare.host) return broken_link(language);
  const Result<url::Url> url = url::parse(token->url);
  indicators_.reload_if_changed();
  const ClickDecision decision =
      url ? decide(*url, rules, *indicators_.rules()) : ClickDecision{Decision::block, {ClickReason::unreadable}, {}};
  if (wants_preview) return preview_page(language, token->url, decision);
  if (decision.decision == Decision::block) {
    record(request, *token, Decision::block, Went::first);
    return block_page(language, token->url, decision);
  }
  if (decision.decision == Decision::allow) {
    record(request, *token, Decision::allow, Went::first);
    return redirect(*url, request.method == "POST" ? 303 : 302);
  }
  const bool was_warned = request.method == "POST" && !comes_from_elsewhere(request) &&
                          check_continuation(proof_in(request), bare.token, clock_.now(), keys_, deadline);
  record(request, *token, Decision::warn, was_warned ? Went::on_after_warning : Went::first);
  return was_warned ? redirect(*url, 303) : warn(bare, *token, decision, language, deadline);
}

http::Response ClickService::warn(const WrappedPath& link, const LinkToken& token, const ClickDecision& decision,
                                  Language language, const Deadline& deadline) const {
  const Result<url::Url> url = url::parse(token.url);
  const Result<std::string> proof = seal_continuation(link.token, clock_.now() + continuation_milliseconds, keys_, deadline);
  if (!url || !proof) return try_again(language);
  return warning_page(language, *url, decision, "/" + std::string(link.host) + "/" + std::string(link.token), *proof);
}

// A HEAD is a machine's look, not a click.
void ClickService::record(const http::Request& request, const LinkToken& token, Decision decision, Went went) const {
  if (!record_ || request.method == "HEAD") return;
  record_({token.tenant, token.message, decision, went, clock_.now()});
}

Result<ClickDecision> ClickService::check(const Id& tenant, std::string_view url) const {
  const std::shared_ptr<const Rules> all = rules();
  if (!all) return Error{ErrorKind::unavailable, "no link policies yet"};
  const auto found = all->find(tenant);
  if (found == all->end()) return Error{ErrorKind::not_found, "no such tenant"};
  ASSIGN_OR_RETURN(const url::Url parsed, url::parse(url));
  indicators_.reload_if_changed();
  return decide(parsed, found->second, *indicators_.rules());
}

Result<Id> ClickService::find_tenant(std::string_view text) const {
  const std::shared_ptr<const Rules> all = rules();
  if (!all) return Error{ErrorKind::unavailable, "no link policies yet"};
  const Result<Id> id = Id::parse(text);
  if (id && all->contains(*id)) return *id;
  const std::string domain = to_lower(text);
  for (const auto& [tenant, rules_of_tenant] : *all) {
    if (rules_of_tenant.name == text || rules_of_tenant.domains.contains(domain)) return tenant;
  }
  return Error{ErrorKind::not_found, "no such tenant"};
}

Result<LinkToken> ClickService::open(std::string_view link_or_token, const Deadline& deadline) const {
  ASSIGN_OR_RETURN(const WrappedPath link, split_link(link_or_token));
  ASSIGN_OR_RETURN(LinkToken token, open_token(link.token, keys_, deadline));
  if (!link.host.empty() && link.host != readable_host(token.url)) {
    return Error{ErrorKind::denied, "the link names another host than its token"};
  }
  return token;
}

}  // namespace mailhold::links
