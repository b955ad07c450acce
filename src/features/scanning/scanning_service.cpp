#include "features/scanning/scanning_service.h"

#include "base/bytes.h"
#include "features/scanning/scan_messages.h"
#include "platform/ipc/client.h"

namespace mailhold::scanning {
namespace {

constexpr std::chrono::milliseconds start_time_max{10'000};
constexpr std::size_t owners_max = 8192;  // far more than there can be workers

}  // namespace

void ScanningService::handle(const std::shared_ptr<ipc::Call>& call) {
  if (call->peer != "gatewayd-in" && call->peer != "workerd")
    return call->fail({ErrorKind::denied, "only gatewayd-in and workerd have contents looked at"});
  ByteReader reader(call->body());
  switch (call->method()) {
    case method_new_worker: return start(*call, call->body());
    case method_kill_worker: {
      const std::uint64_t number = reader.u64();
      if (const Status whole = reader.finish(); !whole) return call->fail(whole.error());
      if (is_of(number, call->peer)) source_.kill_worker(number);
      return call->reply();
    }
    case method_start_program: return start_program(*call);
    default: return call->fail({ErrorKind::unsupported, "no such method"});
  }
}

// One process cannot end the workers of another.
bool ScanningService::is_of(std::uint64_t number, const std::string& peer) {
  const std::lock_guard lock(mutex_);
  const auto found = owners_.find(number);
  return found != owners_.end() && found->second == peer;
}

void ScanningService::start(ipc::Call& call, std::string_view body) {
  ByteReader reader(body);
  const Id tenant = Id::from_bytes(reader.raw(Id::size));
  if (!reader.finish() || tenant.is_none()) return call.fail({ErrorKind::invalid_input, "no tenant"});
  const Result<WorkerHandle> handle = source_.start_worker(tenant, Deadline::after(start_time_max));
  if (!handle) return call.fail(handle.error());
  {
    const std::lock_guard lock(mutex_);
    owners_[handle->number] = call.peer;
    if (owners_.size() > owners_max) owners_.erase(owners_.begin());  // numbers only grow
  }
  const ipc::OwnedFd socket(handle->socket);
  const int descriptor = socket.get();
  call.reply(ByteWriter().u64(handle->number).view(), std::span<const int>(&descriptor, 1));
}

// Of no tenant: it reads one document and ends.
void ScanningService::start_program(ipc::Call& call) {
  if (call.peer != "workerd") return call.fail({ErrorKind::denied, "only workerd has documents read"});
  if (programs_ == nullptr) return call.fail({ErrorKind::unsupported, "the program that reads documents is not installed"});
  const Result<WorkerHandle> handle = programs_->start_worker(Id(), Deadline::after(start_time_max));
  if (!handle) return call.fail(handle.error());
  const ipc::OwnedFd socket(handle->socket);
  const int descriptor = socket.get();
  call.reply({}, std::span<const int>(&descriptor, 1));
}

namespace {

class RemoteWorkers final : public WorkerSource {
 public:
  explicit RemoteWorkers(ipc::Client& scannerd) : scannerd_(scannerd) {}

  Result<WorkerHandle> start_worker(const Id& tenant, const Deadline& deadline) override {
    ASSIGN_OR_RETURN(ipc::Frame reply, scannerd_.call(method_new_worker, tenant.bytes(), deadline));
    ByteReader reader(reply.bytes);
    WorkerHandle handle;
    handle.number = reader.u64();
    RETURN_IF_ERROR(reader.finish());
    if (reply.fds.size() != 1) return Error{ErrorKind::unavailable, "scannerd gave no socket"};
    handle.socket = reply.fds.front().release();
    return handle;
  }

  Result<int> start_program(const Deadline& deadline) override {
    ASSIGN_OR_RETURN(ipc::Frame reply, scannerd_.call(method_start_program, {}, deadline));
    if (reply.fds.size() != 1) return Error{ErrorKind::unavailable, "scannerd gave no socket"};
    return reply.fds.front().release();
  }

  void kill_worker(std::uint64_t number) override {
    (void)scannerd_.call(method_kill_worker, ByteWriter().u64(number).view(), Deadline::after(std::chrono::milliseconds(2000)));
  }

 private:
  ipc::Client& scannerd_;
};

}  // namespace

std::unique_ptr<WorkerSource> workers_of(ipc::Client& scannerd) { return std::make_unique<RemoteWorkers>(scannerd); }

}  // namespace mailhold::scanning
