#include "features/gateway/inbound/answers.h"

namespace mailhold::gateway {

Result<const links::LinkWrapper*> LinkWrappers::for_base(const std::string& link_base) {
  const std::lock_guard lock(mutex_);
  if (const auto found = wrappers_.find(link_base); found != wrappers_.end()) return found->second.get();
  ASSIGN_OR_RETURN(links::LinkWrapper wrapper, links::LinkWrapper::create(link_base, keys_));
  return wrappers_.emplace(link_base, std::make_unique<links::LinkWrapper>(std::move(wrapper))).first->second.get();
}

std::vector<dns::Answer> ScanAnswers::resolve(std::span<const dns::Question> questions, const Deadline& deadline) {
  return resolver_.resolve_all(questions, deadline);
}

std::vector<std::string> ScanAnswers::wrap(std::span<const std::string> urls, const Deadline& deadline) {
  std::vector<std::string> wrapped(urls.size());
  if (wrapper_ == nullptr) return wrapped;
  for (std::size_t i = 0; i < urls.size(); ++i) {
    Result<std::string> link = wrapper_->wrap(tenant_, urls[i], message_, now_, deadline);
    if (link && !link->empty()) {  // empty: this one is to stay as it is
      wrapped[i] = std::move(*link);
      ++links_wrapped_;
    } else if (!link && link.error().kind != ErrorKind::invalid_input && link.error().kind != ErrorKind::unsupported) {
      lacks_link_key_ = true;
    }
  }
  return wrapped;
}

Result<int> ScanAnswers::connect_clamd(const Deadline& deadline) {
  if (!connect_clamd_) return Error{ErrorKind::unavailable, "no virus scanner is configured"};
  return connect_clamd_(deadline);
}

}  // namespace mailhold::gateway
