// ScannerPool: the gateway's side of scanning. It lends jailed workers to messages: a worker
// serves one tenant from its start to its end, so nothing of one tenant can reach another.
// A worker that dies in the middle of a message is replaced; the third death holds the message.
// What a worker says is parsed as hostile: it can at worst return bounded, well-formed splices.
// scan() may be called from many threads at once and blocks; each call occupies one worker.
//
// Design: docs/flows/scanning.md, docs/formats/scanning.md
#pragma once

#include <cstdint>
#include <memory>

#include "base/deadline.h"
#include "base/id.h"
#include "base/result.h"
#include "features/scanning/comparison.h"
#include "features/scanning/extract.h"
#include "features/scanning/scan.h"

namespace mailhold::ipc {
class Client;
}

namespace mailhold::scanning {

// A started worker: a number for killing it, and our end of its socket.
struct WorkerHandle {
  std::uint64_t number = 0;
  int socket = -1;  // the pool closes it
};

// Where workers come from. In the product: scannerd's zygote, over its channel.
class WorkerSource {
 public:
  virtual ~WorkerSource() = default;
  virtual Result<WorkerHandle> start_worker(const Id& tenant, const Deadline&) = 0;  // unavailable when the zygote is away
  virtual void kill_worker(std::uint64_t number) = 0;                                // no wait; unknown numbers are ignored
  // The socket of a started program that reads one document (document_program.h); the caller closes it. unsupported: there is
  // none here; unavailable: not now.
  virtual Result<int> start_program(const Deadline&) { return Error{ErrorKind::unsupported, "no document programs"}; }
};

// The zygote behind a channel to scannerd. The client must outlive the source.
std::unique_ptr<WorkerSource> workers_of(ipc::Client& scannerd);

struct PoolSettings {
  std::size_t workers_max = 64;  // the idle worker used longest ago of any tenant makes room
  std::size_t attempts_max = 3;  // workers one message may kill before it is held
  std::uint32_t worker_messages_max = 256;
  std::chrono::milliseconds worker_idle_max{60'000};
  std::chrono::milliseconds message_time_max{30'000};  // wall clock for one attempt, with all waits for DNS
  Limits limits{};
};

struct PoolCounts {
  std::uint64_t scans = 0, started = 0, died = 0, evicted = 0, recycled = 0, held = 0;
  std::size_t busy = 0, idle = 0;
};

class ScannerPool {
 public:
  ScannerPool(std::unique_ptr<WorkerSource> source, PoolSettings settings);
  ~ScannerPool();  // ends all idle workers; no scan may be under way

  // The result of scan_message in a worker of request.tenant. A message that killed every worker it was
  // given comes back with findings.unscannable and the reason "scanner.killed": hold it.
  // unavailable: no worker could be had (answer 451); timed_out, cancelled: the deadline ended;
  // limit_exceeded: the message is larger than limits.message_bytes_max.
  Result<ScanResult> scan(const ScanRequest& request, Answers& answers, const Deadline& deadline);

  // The result of compare_contents in a worker of request.tenant. Contents that killed every worker they were given are not
  // readable. Errors as scan; limit_exceeded: one of the contents is longer than compared_bytes_max.
  Result<Comparison> compare(const CompareRequest& request, const Deadline& deadline);
  // The text of a content of that form, out of a worker of that tenant. One that killed all workers but the last has its
  // documents left alone by that; one that killed every worker comes back without text, as incomplete and with an unread
  // document. Errors as above; unavailable also while no document program can be started though there is one.
  Result<ExtractedText> extract(const Id& tenant, TextForm form, std::string_view content, const Deadline& deadline);

  PoolCounts counts() const;

 private:
  class Workers;
  std::unique_ptr<Workers> workers_;
};

}  // namespace mailhold::scanning
