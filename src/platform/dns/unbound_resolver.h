// UnboundResolver: asks the net, or the servers it was given, through libunbound. Only resolverd makes one: what
// it parses comes from anybody. Validates DNSSEC if there is a trust anchor.
// Thread-safe. Two threads run behind it from the first question on: libunbound's own, and one that hands out answers.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "platform/dns/resolver.h"

namespace mailhold::dns {

struct StubZone {
  std::string zone{};
  std::string server{};  // "address@port": authoritative for the zone
};

struct UnboundSettings {
  std::vector<std::string> servers{};            // "address@port", asked for everything; empty: those of resolv_conf
  std::string resolv_conf = "/etc/resolv.conf";  // without a server in it: the root servers
  std::vector<std::string> trust_anchors{};      // DS or DNSKEY records as text; none: no answer is ever secure
  std::vector<StubZone> stub_zones{};
  std::vector<std::string> local_records{};  // "name TTL IN TYPE value": answered without asking anybody
  std::chrono::milliseconds question_time_max{5000};
  std::size_t outstanding_max = 4096;  // more questions at once are answered servfail
};

// The records of a trust anchor file (as of unbound-anchor or dns-root-data), one line each; not_found if unreadable.
Result<std::vector<std::string>> read_trust_anchors(const std::string& path);

class UnboundResolver final : public Resolver {
 public:
  using Receiver = std::function<void(Answer)>;

  // Reads all files it needs, so that a sandbox may close afterwards; starts no thread. invalid_input if a setting is unusable.
  static Result<std::unique_ptr<UnboundResolver>> create(UnboundSettings settings);
  ~UnboundResolver() override;

  std::vector<Answer> resolve_all(std::span<const Question> questions, const Deadline& deadline) override;

  // `receiver` gets the answer exactly once, from one thread of ours or from within this call; it must not wait.
  void ask(const Question& question, std::chrono::milliseconds time, Receiver receiver);

 private:
  class Engine;
  explicit UnboundResolver(std::unique_ptr<Engine> engine);
  std::unique_ptr<Engine> engine_;
};

}  // namespace mailhold::dns
