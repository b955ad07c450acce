// ScanAnswers: what a scan may ask of the gateway while it looks at one message: DNS, wrapped links,
// and a connection to the virus scanner. One object for each message; one thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "features/links/link_wrapper.h"
#include "features/scanning/scan.h"
#include "platform/dns/resolver.h"

namespace mailhold::gateway {

// One LinkWrapper for each link base: tenants may have their own. Any thread.
class LinkWrappers {
 public:
  explicit LinkWrappers(links::LinkKeySource keys) : keys_(std::move(keys)) {}
  // Lives as long as this object. invalid_input: not a web address.
  Result<const links::LinkWrapper*> for_base(const std::string& link_base);

 private:
  links::LinkKeySource keys_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<links::LinkWrapper>> wrappers_;  // guarded by mutex_
};

// Connects to clamd; the descriptor is the caller's.
using ConnectClamd = std::function<Result<int>(const Deadline&)>;

class ScanAnswers final : public scanning::Answers {
 public:
  // `wrapper` may be none: links stay as they are. All must outlive the object.
  ScanAnswers(const Id& tenant, const Id& message, Milliseconds now, dns::Resolver& resolver, const links::LinkWrapper* wrapper,
              const ConnectClamd& connect_clamd)
      : tenant_(tenant), message_(message), now_(now), resolver_(resolver), wrapper_(wrapper), connect_clamd_(connect_clamd) {}

  std::vector<dns::Answer> resolve(std::span<const dns::Question> questions, const Deadline&) override;
  std::vector<std::string> wrap(std::span<const std::string> urls, const Deadline&) override;
  Result<int> connect_clamd(const Deadline&) override;

  // A link could not be wrapped for want of a key: the message must not go out as it is.
  bool lacks_link_key() const { return lacks_link_key_; }
  std::uint32_t links_wrapped() const { return links_wrapped_; }

 private:
  const Id tenant_, message_;
  const Milliseconds now_;
  dns::Resolver& resolver_;
  const links::LinkWrapper* wrapper_;
  const ConnectClamd& connect_clamd_;
  std::uint32_t links_wrapped_ = 0;
  bool lacks_link_key_ = false;
};

}  // namespace mailhold::gateway
