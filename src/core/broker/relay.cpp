#include "core/broker/relay.h"

#include "base/log.h"
#include "platform/net/wait.h"

namespace mailhold::broker {
namespace {

constexpr std::size_t gathered_bytes_max = 256U << 10;

class Relay {
 public:
  Relay(std::unique_ptr<net::Stream> worker, int worker_socket, net::Stream& server, int server_socket, SessionFilter& filter,
        SessionMeter& meter, const RelayTimes& times, const Deadline& deadline)
      : worker_(std::move(worker)),
        worker_socket_(worker_socket),
        server_(server),
        server_socket_(server_socket),
        filter_(filter),
        meter_(meter),
        times_(times),
        deadline_(deadline) {}

  // Until the session is over; the reason.
  std::string run() {
    if (const Status greeted = deliver(); !greeted) return "the worker is gone";
    for (;;) {
      const Status passed = pass_all();
      if (!end_.empty()) return end_;
      if (!passed) return std::string(name_of(passed.error().kind)) + ": " + passed.error().detail;
      const auto ready = net::wait_for_any(filter_.wants_worker() ? worker_socket_ : -1, server_socket_, meter_.descriptor(),
                                           within(times_.idle));
      if (!ready) return ready.error().kind == ErrorKind::timed_out ? "nobody spoke for too long" : ready.error().detail;
      if (ready->third) return "brokerd is gone";
    }
  }

 private:
  Deadline within(std::chrono::milliseconds limit) const {
    return {std::min(deadline_.at, std::chrono::steady_clock::now() + limit), deadline_.stop};
  }

  // All that is there now, of both sides.
  Status pass_all() {
    bool moved = true;
    while (moved && end_.empty()) {
      moved = false;
      RETURN_IF_ERROR(pass_from_server(moved));
      if (end_.empty() && filter_.wants_worker()) RETURN_IF_ERROR(pass_from_worker(moved));
      if (deadline_.left().count() == 0) end_ = "the session's time is over";
    }
    return done();
  }

  Status pass_from_worker(bool& moved) {
    ASSIGN_OR_RETURN(const std::optional<std::string> bytes, worker_->read_if_ready());
    if (!bytes) return done();
    moved = true;
    if (bytes->empty()) {
      end_ = "closed by the worker";
      return done();
    }
    const Status taken = filter_.from_worker(*bytes);
    RETURN_IF_ERROR(deliver());
    return taken;
  }

  Status pass_from_server(bool& moved) {
    const Status gathered = gather_from_server(moved);
    RETURN_IF_ERROR(deliver());
    return gathered;
  }

  // Many records of TLS at once, so that the worker is woken once for all of them.
  Status gather_from_server(bool& moved) {
    for (std::size_t gathered = 0; gathered < gathered_bytes_max && end_.empty();) {
      ASSIGN_OR_RETURN(const std::optional<std::string> bytes, server_.read_if_ready());
      if (!bytes) return done();
      moved = true;
      gathered += bytes->size();
      if (bytes->empty()) {
        end_ = "closed by the server";
      } else {
        ASSIGN_OR_RETURN(const bool goes_on, filter_.from_server(*bytes, meter_));
        if (!goes_on) end_ = "cap reached";
      }
    }
    return done();
  }

  Status deliver() {
    if (const std::string bytes = filter_.take_for_server(); !bytes.empty())
      RETURN_IF_ERROR(server_.write_all(bytes, within(times_.write)));
    if (const std::string bytes = filter_.take_for_worker(); !bytes.empty())
      RETURN_IF_ERROR(worker_->write_all(bytes, within(times_.write)));
    return done();
  }

  const std::unique_ptr<net::Stream> worker_;
  const int worker_socket_;
  net::Stream& server_;
  const int server_socket_;
  SessionFilter& filter_;
  SessionMeter& meter_;
  const RelayTimes& times_;
  const Deadline& deadline_;
  std::string end_;
};

}  // namespace

std::string relay(ipc::OwnedFd worker, net::Stream& server, int server_socket, SessionFilter& filter, SessionMeter& meter,
                  const RelayTimes& times, const Deadline& deadline) {
  const int worker_socket = worker.get();
  return Relay(net::stream_over(worker.release()), worker_socket, server, server_socket, filter, meter, times, deadline).run();
}

}  // namespace mailhold::broker
