// Acceptance: from the end of data to the reply. Scans the message, lets the tenant's policy decide,
// applies the splices, and spools it; the reply is 250 only once the spool has it on disk. Every
// fault of ours is 451: the message must come back.
//
// Flow: docs/flows/inbound-message.md. Any thread; several messages at once.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "core/spool/spool_writer.h"
#include "features/gateway/directory.h"
#include "features/gateway/envelope.h"
#include "features/gateway/inbound/answers.h"
#include "features/gateway/inbound/counts.h"
#include "features/gateway/inbound/inbound_settings.h"
#include "features/gateway/policy.h"
#include "formats/smtp/smtp_server_dialogue.h"

namespace mailhold::gateway {

// A message as it came, with who brought it.
struct Submission {
  std::shared_ptr<const Directory> directory;  // keeps the tenant alive
  const Tenant* tenant = nullptr;
  std::string client_ip;
  std::string helo;
  std::string tls;
  bool extended = false;
  smtp::ReceivedMessage message;
};

// ScannerPool::scan in the product.
using Scan = std::function<Result<scanning::ScanResult>(const scanning::ScanRequest&, scanning::Answers&, const Deadline&)>;

class Acceptance {
 public:
  struct Parts {
    Scan scan;
    spool::SpoolWriter* spool = nullptr;
    dns::Resolver* resolver = nullptr;
    LinkWrappers* wrappers = nullptr;
    ConnectClamd connect_clamd{};  // none: messages are not shown to clamd
    const Clock* clock = &system_clock();
  };
  // Everything must outlive the object.
  Acceptance(const InboundSettings& settings, Parts parts, InboundCounts& counts)
      : settings_(settings), parts_(std::move(parts)), counts_(counts) {}

  // May wait for the scan (not when the tenant's scan mode is none). `finished` runs exactly once, on this
  // thread or on the spool's committer thread: it must be short.
  using Finished = std::function<void(smtp::Reply)>;
  void accept(Submission submission, Finished finished, std::stop_token stop = {});

 private:
  struct Work;
  void scan_and_decide(Work& work, const std::stop_token& stop);
  void keep(Work work, Finished finished);
  void refuse(Work work, std::string_view code, smtp::Reply reply, Finished finished);

  const InboundSettings& settings_;
  const Parts parts_;
  InboundCounts& counts_;
};

}  // namespace mailhold::gateway
