// The calls of scannerd: gatewayd-in and workerd ask for workers and have them killed. The other end is workers_of() in
// scanner_pool.h.
#pragma once

#include <memory>

#include "features/scanning/scanner_pool.h"
#include "platform/ipc/server.h"

namespace mailhold::scanning {

class ScanningService {
 public:
  // The source must outlive the service.
  explicit ScanningService(WorkerSource& source) : source_(source) {}

  // Answers the call. denied for any other peer.
  void handle(const std::shared_ptr<ipc::Call>& call);

 private:
  void start(ipc::Call& call, std::string_view body);

  WorkerSource& source_;
};

}  // namespace mailhold::scanning
