// The calls of scannerd: gatewayd-in and workerd ask for workers and have their own killed; workerd asks for document programs.
// The other end is workers_of() in scanner_pool.h.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "features/scanning/scanner_pool.h"
#include "platform/ipc/server.h"

namespace mailhold::scanning {

class ScanningService {
 public:
  // Both outlive the service. Of `programs`, each worker is one that runs serve_document; nullptr: none is installed.
  ScanningService(WorkerSource& source, WorkerSource* programs) : source_(source), programs_(programs) {}

  // Answers the call. denied for any peer but gatewayd-in and workerd, and for the former's asking for a program.
  void handle(const std::shared_ptr<ipc::Call>& call);

 private:
  void start(ipc::Call& call, std::string_view body);
  void start_program(ipc::Call& call);

  bool is_of(std::uint64_t number, const std::string& peer);

  WorkerSource& source_;
  WorkerSource* const programs_;
  std::mutex mutex_;
  std::map<std::uint64_t, std::string> owners_;  // of the latest workers: who asked for them. Guarded by mutex_
};

}  // namespace mailhold::scanning
