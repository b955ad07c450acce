// Inbound: the SMTP server of the gateway. Sessions that wait cost no thread: they are parked in one
// epoll, and a few I/O threads serve whichever is ready. Scans run on threads of their own, so that a
// slow DNS answer delays nobody else.
//
// Flow: docs/flows/inbound-message.md. All public functions may be called from any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "features/gateway/inbound/session.h"
#include "platform/net/listener.h"
#include "platform/net/parking.h"

namespace mailhold::gateway {

class Inbound {
 public:
  // Takes over the listening sockets. The acceptance parts and the directory must outlive the object; the spool
  // writer in them must be destroyed after it. `identity` may be none: STARTTLS is not offered then.
  static Result<std::unique_ptr<Inbound>> start(const InboundSettings& settings, Acceptance::Parts parts,
                                                DirectoryLease& directory, std::shared_ptr<const net::TlsIdentity> identity,
                                                std::vector<int> listeners);
  // Waits for the messages that are under way (at most 30 s), then ends every session with 421.
  ~Inbound();

  // New sessions and new messages are answered 421 and 451 until resumed.
  void pause(bool paused) { gate_.pause(paused); }
  bool is_paused() const { return gate_.is_paused(); }
  // For sessions that begin TLS from now on.
  void set_identity(std::shared_ptr<const net::TlsIdentity> identity) { world_.set_identity(std::move(identity)); }

  const InboundCounts& counts() const { return counts_; }
  std::size_t messages_waiting_for_scan() const;

 private:
  // The place of one session. Only the thread that moved the phase from parked to running, or made the session, may touch it.
  struct Slot {
    std::atomic<std::uint64_t> state = 0;    // generation << 8 | phase
    std::atomic<std::int64_t> deadline = 0;  // steady clock, milliseconds
    std::unique_ptr<Session> session;
    bool is_known_to_parking = false;
  };
  // rung: an event came while the time watch held the session.
  enum Phase : std::uint8_t { vacant, running, rung, parked };

  Inbound(const InboundSettings& settings, Acceptance::Parts parts, DirectoryLease& directory, net::Parking parking,
          std::vector<int> listeners);

  void serve();  // an I/O thread
  void scan();   // a scan thread
  void watch_time(const std::stop_token& stop);
  void accept_clients(std::uint32_t listener);
  void admit(net::Accepted client);
  void handle(std::uint32_t index, char* scratch);
  void park(std::uint32_t index, net::Ready ready);
  void expire(std::uint32_t index);
  void submit(std::uint32_t index);
  void accept_message(std::uint32_t index, Submission submission);
  void close(std::uint32_t index);
  std::uint64_t tag_of(std::uint32_t index) const;
  bool claim(std::uint32_t index, std::uint64_t generation);

  const InboundSettings settings_;
  InboundCounts counts_;
  Gate gate_;
  SessionWorld world_;
  Acceptance acceptance_;
  net::Parking parking_;
  const std::vector<int> listeners_;
  std::vector<Slot> slots_;
  std::mutex free_mutex_;
  std::vector<std::uint32_t> free_;  // guarded by free_mutex_

  struct Waiting {
    std::uint32_t index;
    Submission submission;
  };
  mutable std::mutex queue_mutex_;
  std::condition_variable queue_filled_;
  std::deque<Waiting> queue_;                 // guarded by queue_mutex_
  std::atomic<std::uint32_t> under_way_ = 0;  // messages between end of data and verdict
  std::atomic<bool> stopping_ = false;
  std::stop_source stop_;
  std::vector<std::jthread> threads_;
};

}  // namespace mailhold::gateway
