// ResolverService: resolverd's side of ResolverClient. Thread-safe. Replies to a request when all its answers are there.
#pragma once

#include <memory>
#include <string_view>

#include "platform/dns/unbound_resolver.h"
#include "platform/ipc/server.h"

namespace mailhold::dns {

class ResolverService {
 public:
  // The resolver must outlive the calls that handle() was given.
  explicit ResolverService(UnboundResolver& resolver) : resolver_(resolver) {}

  // Fails invalid_input for what ResolverClient never sends (a name DNS cannot carry included), unsupported for other methods.
  void handle(const std::shared_ptr<ipc::Call>& call);

 private:
  UnboundResolver& resolver_;
};

}  // namespace mailhold::dns
