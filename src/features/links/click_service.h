// ClickService: a request for a wrapped link in, the answer out: redirect, warning page, block
// page or preview. Knows no sockets. Keeps nothing about who clicked.
//
// Flow: docs/flows/click.md. Serves many threads.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/clock.h"
#include "features/links/decision.h"
#include "features/links/indicators.h"
#include "features/links/link_keys.h"
#include "features/links/link_policy.h"
#include "features/links/link_token.h"
#include "features/links/link_wrapper.h"
#include "features/links/pages.h"
#include "formats/http/request.h"
#include "formats/http/response.h"

namespace mailhold::links {

enum class Went { first, on_after_warning };

// What is recorded of a click: no recipient, no address, no URL.
struct ClickEvent {
  Id tenant;
  Id message;
  Decision decision = Decision::allow;
  Went went = Went::first;
  Milliseconds at = 0;
};

class ClickService {
 public:
  // `record` is called once for each answered click on a valid link and must return quickly.
  ClickService(LinkKeySource keys, Indicators& indicators, const Clock& clock, std::function<void(const ClickEvent&)> record);

  // Until the first call every link is answered with "try again": without the tenants' lists nothing may go on.
  void set_policies(const LinkPolicies& policies);

  // Always an answer: 302 and 303 only for a valid token whose readable host is the URL's. Every failure to open a token gives
  // one and the same page.
  http::Response answer(const http::Request& request, const Deadline& deadline) const;

  // For operators and administrators, without any effect. check: invalid_input for what is no web address.
  Result<ClickDecision> check(const Id& tenant, std::string_view url) const;
  // By its id in hex, its name or one of its domains; not_found.
  Result<Id> find_tenant(std::string_view text) const;
  Result<LinkToken> open(std::string_view link_or_token, const Deadline& deadline) const;
  Result<Indicators::Loaded> reload() { return indicators_.reload(); }

 private:
  using Rules = std::unordered_map<Id, ClickRules>;
  std::shared_ptr<const Rules> rules() const;
  http::Response answer_link(const http::Request& request, Language language, const Deadline& deadline) const;
  http::Response follow(const http::Request& request, Language language, const WrappedPath& link, const ClickRules& rules,
                        const Deadline& deadline) const;
  http::Response warn(const WrappedPath& link, const LinkToken& token, const ClickDecision& decision, Language language,
                      const Deadline& deadline) const;
  void record(const http::Request& request, const LinkToken& token, Decision decision, Went went) const;

  LinkKeySource keys_;
  Indicators& indicators_;
  const Clock& clock_;
  std::function<void(const ClickEvent&)> record_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Rules> rules_;  // guarded by mutex_; none until the first policies came
};

}  // namespace mailhold::links
