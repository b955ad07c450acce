#include "core/broker/relay.h"

#include <vector>

#include "base/log.h"
#include "platform/net/wait.h"

namespace mailhold::broker {
namespace {

constexpr std::size_t gathered_bytes_max = 128U << 10;  // more would not stay in a processor's cache on its way
// From that much at once on the server is sending mail, and half a millisecond later there is more of it: servers send record by
// record, and being woken for each costs more than what is in it.
constexpr std::size_t flow_bytes_min = 4U << 10;
constexpr std::chrono::microseconds rest_in_flow(500);

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
      auto ready = wait_for(server_socket_, times_.idle);
      if (!ready) return ready.error().kind == ErrorKind::timed_out ? "nobody spoke for too long" : ready.error().detail;
      if (ready->second && mail_flows_) ready = wait_for(-1, rest_in_flow);
      if (ready && ready->third) return "brokerd is gone";
    }
  }

 private:
  Deadline within(std::chrono::microseconds limit) const {
    return {std::min(deadline_.at, std::chrono::steady_clock::now() + limit), deadline_.stop};
  }

  Result<net::AnyReady> wait_for(int server_socket, std::chrono::microseconds limit) const {
    return net::wait_for_any(filter_.wants_worker() ? worker_socket_ : -1, server_socket, meter_.descriptor(), within(limit));
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
    ASSIGN_OR_RETURN(const std::optional<std::size_t> count, worker_->read_if_ready(room_));
    if (!count) return done();
    moved = true;
    if (*count == 0) {
      end_ = "closed by the worker";
      return done();
    }
    const Status taken = filter_.from_worker({room_.data(), *count});
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
    std::size_t gathered = 0;
    while (gathered < gathered_bytes_max && end_.empty()) {
      ASSIGN_OR_RETURN(const std::optional<std::size_t> count, server_.read_if_ready(room_));
      if (!count) break;
      moved = true;
      gathered += *count;
      if (*count == 0) {
        end_ = "closed by the server";
      } else {
        ASSIGN_OR_RETURN(const bool goes_on, filter_.from_server({room_.data(), *count}, meter_));
        if (!goes_on) end_ = "cap reached";
      }
    }
    if (gathered > 0) mail_flows_ = gathered >= flow_bytes_min;
    return done();
  }

  Status deliver() {
    if (const std::string bytes = filter_.take_for_server(); !bytes.empty())
      RETURN_IF_ERROR(server_.write_all(bytes, within(times_.write)));
    filter_.take_for_worker(for_worker_);
    if (for_worker_.empty()) return done();
    return worker_->write_all(for_worker_, within(times_.write));
  }

  const std::unique_ptr<net::Stream> worker_;
  const int worker_socket_;
  net::Stream& server_;
  const int server_socket_;
  SessionFilter& filter_;
  SessionMeter& meter_;
  const RelayTimes& times_;
  const Deadline& deadline_;
  std::vector<char> room_ = std::vector<char>(net::Stream::read_bytes_max);
  std::string for_worker_;
  bool mail_flows_ = false;
  std::string end_;
};

}  // namespace

std::string relay(ipc::OwnedFd worker, net::Stream& server, int server_socket, SessionFilter& filter, SessionMeter& meter,
                  const RelayTimes& times, const Deadline& deadline) {
  const int worker_socket = worker.get();
  return Relay(net::stream_over(worker.release()), worker_socket, server, server_socket, filter, meter, times, deadline).run();
}

}  // namespace mailhold::broker
