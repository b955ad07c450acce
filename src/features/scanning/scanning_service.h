// The calls of scannerd: gatewayd-in and workerd ask for workers and have their own killed. The other end is workers_of() in
// scanner_pool.h.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "features/scanning/scanner_pool.h"
#include "platform/ipc/server.h"

namespace mailhold::scanning {

class ScanningService {
 public:
  // The source must outlive the service.
  explicit ScanningService(WorkerSource& source) : source_(source) {}

  // Answers the call. denied for any peer but gatewayd-in and workerd.
  void handle(const std::shared_ptr<ipc::Call>& call);

 private:
  void start(ipc::Call& call, std::string_view body);

  bool is_of(std::uint64_t number, const std::string& peer);

  WorkerSource& source_;
  std::mutex mutex_;
  std::map<std::uint64_t, std::string> owners_;  // of the latest workers: who asked for them. Guarded by mutex_
};

}  // namespace mailhold::scanning
