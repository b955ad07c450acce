// ResolverClient: asks resolverd, and keeps its answers for as long as their ttl says.
// Thread-safe. While resolverd is away every question that is not cached answers servfail.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "platform/dns/resolver.h"
#include "platform/ipc/client.h"

namespace mailhold::dns {

class AnswerCache;

class ResolverClient final : public Resolver {
 public:
  static constexpr std::size_t cached_answers_max = 20'000;

  ResolverClient(std::shared_ptr<ipc::Client> resolverd, const Clock& clock);
  ~ResolverClient() override;

  std::vector<Answer> resolve_all(std::span<const Question> questions, const Deadline& deadline) override;

 private:
  std::shared_ptr<ipc::Client> resolverd_;
  std::unique_ptr<AnswerCache> cache_;
};

}  // namespace mailhold::dns
