// Zygote: a process with one thread and all tables loaded, which makes copies of itself on request: each copy is put into
// its own jail and becomes the worker of one tenant. It holds no message and no socket but its own. scannerd and searchd have
// one.
//
// The zygote itself must be made while its maker has one thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

#include "features/scanning/scanner_pool.h"
#include "features/scanning/worker.h"
#include "platform/ipc/channel.h"

namespace mailhold::scanning {

struct ZygoteSettings {
  std::function<Status()> confine_zygote;                  // called once in the zygote before it serves; empty: none
  std::function<Status(const Id& tenant)> confine_worker;  // in each worker before it reads a byte; a failure ends the worker
  WorkerSettings worker{};
  std::function<void(ipc::OwnedFd socket, const Id& tenant)> serve;  // what a worker does; empty: serve_worker
  std::size_t workers_max = 512;                                     // living at one time
};

// The maker's side. Any thread.
class Zygote final : public WorkerSource {
 public:
  // Forks the zygote. unavailable when the kernel refuses.
  static Result<std::unique_ptr<Zygote>> start(const ZygoteSettings& settings);
  ~Zygote() override;  // the zygote ends, and its workers with their channels

  Result<WorkerHandle> start_worker(const Id& tenant, const Deadline&) override;
  void kill_worker(std::uint64_t number) override;
  // False once it did not answer: it is of no use any more, and its maker had better be restarted.
  bool is_alive() const { return alive_; }

 private:
  Zygote(ipc::OwnedFd socket, int process) : channel_(std::move(socket)), process_(process) {}

  std::mutex mutex_;  // one request at a time
  ipc::Channel channel_;
  int process_;
  std::atomic<bool> alive_{true};
};

}  // namespace mailhold::scanning
