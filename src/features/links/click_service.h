// ClickService: a request for a wrapped link in, the answer out: redirect, warning page, block
// page or preview. Knows no sockets. Keeps nothing about who clicked.
//
// Flow: docs/flows/click.md. Serves many threads.
#pragma once

#include <functional>
#include <memory>
#include <shared_mutex>

#include "base/clock.h"
#include "features/links/decision.h"
#include "features/links/indicators.h"
#include "features/links/link_keys.h"
#include "features/links/link_policy.h"
#include "features/links/link_token.h"
#include "formats/http/request.h"
#include "formats/http/response.h"

namespace mailhold::links {

// What is recorded of a click: no recipient, no address, no URL.
struct ClickEvent {
  Id tenant;
  Id message;
  Decision decision = Decision::allow;
  bool continued = false;  // the person went on after a warning
  Milliseconds at = 0;
};

class ClickService {
 public:
  // `record` is called once for each answered click on a valid link and must return quickly.
  ClickService(LinkKeySource keys, Indicators& indicators, const Clock& clock, std::function<void(const ClickEvent&)> record);

  void set_policies(std::shared_ptr<const LinkPolicies> policies);

  // Always an answer: 302 and 303 only for a valid token whose readable host is the URL's. Every failure to open a token gives
  // one and the same page.
  http::Response answer(const http::Request& request, const Deadline& deadline) const;

  // For operators and administrators, without any effect.
  Result<ClickDecision> check(const Id& tenant, std::string_view url) const;
  Result<LinkToken> open(std::string_view link_or_token, const Deadline& deadline) const;
  Result<Indicators::Loaded> reload();

 private:
  LinkPolicy policy_of(const Id& tenant) const;
  http::Response answer_click(const http::Request& request, const Deadline& deadline) const;

  LinkKeySource keys_;
  Indicators& indicators_;
  const Clock& clock_;
  std::function<void(const ClickEvent&)> record_;
  mutable std::shared_mutex mutex_;
  std::shared_ptr<const LinkPolicies> policies_ = std::make_shared<LinkPolicies>();
};

}  // namespace mailhold::links
