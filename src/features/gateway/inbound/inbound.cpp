#include "features/gateway/inbound/inbound.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "platform/net/listener.h"

namespace mailhold::gateway {
namespace {

using namespace std::chrono_literals;
using Next = Session::Next;

constexpr std::uint64_t phase_bits = 8;
constexpr std::uint64_t index_bits = 24;
constexpr std::uint64_t listener_tag = std::uint64_t{1} << 63;
constexpr int accepts_at_once = 32;
constexpr auto drain_time = 30s;

std::int64_t milliseconds(std::chrono::steady_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

// A refusal before any session exists; whether it arrives does not matter.
void say_and_close(int socket, std::string_view text) {
  (void)::send(socket, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::close(socket);
}

}  // namespace

Result<std::unique_ptr<Inbound>> Inbound::start(const InboundSettings& settings, Acceptance::Parts parts,
                                                DirectoryLease& directory, std::shared_ptr<const net::TlsIdentity> identity,
                                                std::vector<int> listeners) {
  if (settings.connections_max == 0 || settings.connections_max >= (1u << index_bits)) {
    return Error{ErrorKind::invalid_input, "connections_max out of range"};
  }
  ASSIGN_OR_RETURN(net::Parking parking, net::Parking::open());
  std::unique_ptr<Inbound> inbound(new Inbound(settings, std::move(parts), directory, std::move(parking), std::move(listeners)));
  inbound->world_.dialogue.offer_starttls = identity != nullptr;
  inbound->world_.set_identity(std::move(identity));
  for (std::uint32_t i = 0; i < inbound->listeners_.size(); ++i) {
    RETURN_IF_ERROR(inbound->parking_.add(inbound->listeners_[i], listener_tag | i, net::Ready::to_read));
  }
  Inbound* self = inbound.get();
  for (std::uint32_t i = 0; i < settings.io_threads; ++i) self->threads_.emplace_back([self] { self->serve(); });
  for (std::uint32_t i = 0; i < settings.scan_threads; ++i) self->threads_.emplace_back([self] { self->scan(); });
  self->threads_.emplace_back([self] { self->watch_time(self->stop_.get_token()); });
  return inbound;
}

Inbound::Inbound(const InboundSettings& settings, Acceptance::Parts parts, DirectoryLease& directory, net::Parking parking,
                 std::vector<int> listeners)
    : settings_(settings),
      gate_(settings.connections_max, settings.connections_per_address_max),
      world_(settings_, directory, gate_, counts_),
      acceptance_(settings_, std::move(parts), counts_),
      parking_(std::move(parking)),
      listeners_(std::move(listeners)),
      slots_(settings.connections_max) {
  free_.reserve(settings.connections_max);
  for (std::uint32_t i = settings.connections_max; i > 0; --i) free_.push_back(i - 1);
}

Inbound::~Inbound() {
  stopping_ = true;
  gate_.pause(true);
  const auto until = std::chrono::steady_clock::now() + drain_time;
  while (under_way_ > 0 && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(10ms);
  stop_.request_stop();
  {
    const std::lock_guard lock(queue_mutex_);
    under_way_ -= static_cast<std::uint32_t>(queue_.size());
    queue_.clear();
  }
  queue_filled_.notify_all();
  while (under_way_ > 0) std::this_thread::sleep_for(10ms);  // every scan ends by the stop, every append is answered
  parking_.stop();
  threads_.clear();
  for (const int listener : listeners_) ::close(listener);
  for (Slot& slot : slots_) {
    if (slot.session) slot.session->give_up("4.3.2", "closing");
  }
}

std::size_t Inbound::messages_waiting_for_scan() const {
  const std::lock_guard lock(queue_mutex_);
  return queue_.size();
}

std::uint64_t Inbound::tag_of(std::uint32_t index) const {
  return (slots_[index].state.load() >> phase_bits << index_bits & ~listener_tag) | index;
}

void Inbound::serve() {
  const std::unique_ptr<char[]> scratch(new char[Session::read_bytes]);
  while (!stop_.stop_requested()) {
    const auto tag = parking_.wait(1s);
    if (!tag) continue;
    if ((*tag & listener_tag) != 0) {
      accept_clients(static_cast<std::uint32_t>(*tag));
      continue;
    }
    const auto index = static_cast<std::uint32_t>(*tag & ((1u << index_bits) - 1));
    if (claim(index, *tag >> index_bits)) handle(index, scratch.get());
  }
}

// An event came. True: the session is this thread's now. An event for an earlier session in the slot means nothing.
bool Inbound::claim(std::uint32_t index, std::uint64_t generation) {
  std::atomic<std::uint64_t>& state = slots_[index].state;
  for (std::uint64_t seen = state.load(); seen >> phase_bits == generation;) {
    const auto phase = static_cast<Phase>(seen & 0xff);
    if (phase != parked && phase != running) return false;
    const Phase wanted = phase == parked ? running : rung;
    if (state.compare_exchange_weak(seen, generation << phase_bits | wanted)) return wanted == running;
  }
  return false;
}

// The phase changes first: once the socket is armed another thread may have the session before this call is over.
void Inbound::park(std::uint32_t index, net::Ready ready) {
  Slot& slot = slots_[index];
  const int socket = slot.session->socket();
  const std::uint64_t tag = tag_of(index);
  const bool is_known = std::exchange(slot.is_known_to_parking, true);
  slot.deadline = milliseconds(slot.session->deadline());
  slot.state = slot.state.load() >> phase_bits << phase_bits | parked;
  const Status armed = is_known ? parking_.arm(socket, tag, ready) : parking_.add(socket, tag, ready);
  if (armed) return;
  while (!claim(index, tag >> index_bits)) std::this_thread::yield();  // the time watch may hold it for a moment
  close(index);
}

void Inbound::accept_clients(std::uint32_t listener) {
  for (int i = 0; i < accepts_at_once; ++i) {
    Result<net::Accepted> client = net::accept_tcp(listeners_[listener]);
    if (!client) {
      if (client.error().kind == ErrorKind::limit_exceeded)
        std::this_thread::sleep_for(50ms);  // until descriptors are free again
      break;
    }
    admit(std::move(*client));
  }
  if (!stopping_) (void)parking_.arm(listeners_[listener], listener_tag | listener, net::Ready::to_read);
}

void Inbound::admit(net::Accepted client) {
  ++counts_.connections;
  const Gate::Entry entry = gate_.enter(client.ip);
  if (entry != Gate::Entry::granted) {
    ++counts_.connections_refused;
    const char* why = entry == Gate::Entry::paused ? " not accepting mail now\r\n"
                      : entry == Gate::Entry::full ? " too many connections\r\n"
                                                   : " too many connections from your address\r\n";
    return say_and_close(client.socket,
                         "421 " + settings_.host_name + (entry == Gate::Entry::paused ? " 4.3.2" : " 4.7.0") + why);
  }
  std::uint32_t index = 0;
  {
    const std::lock_guard lock(free_mutex_);
    index = free_.back();  // the gate lets no more in than there are slots
    free_.pop_back();
  }
  Slot& slot = slots_[index];
  slot.session = std::make_unique<Session>(client.socket, std::move(client.ip), world_);
  slot.is_known_to_parking = false;
  slot.state = slot.state.load() | running;
  ++counts_.connections_open;
  const Next next = slot.session->open();
  if (next == Next::close)
    close(index);
  else
    park(index, next == Next::write ? net::Ready::to_write : net::Ready::to_read);
}

void Inbound::handle(std::uint32_t index, char* scratch) {
  switch (slots_[index].session->resume(scratch)) {
    case Next::verdict: return submit(index);
    case Next::close: return close(index);
    case Next::read: return park(index, net::Ready::to_read);
    case Next::write: return park(index, net::Ready::to_write);
  }
}

void Inbound::submit(std::uint32_t index) {
  Submission submission = slots_[index].session->take_submission();
  ++under_way_;
  if (submission.tenant->policy.scan == ScanMode::none) return accept_message(index, std::move(submission));
  {
    const std::lock_guard lock(queue_mutex_);
    if (queue_.size() < settings_.scan_queue_max && !stopping_) {
      queue_.push_back({index, std::move(submission)});
      queue_filled_.notify_one();
      return;
    }
  }
  ++counts_.tempfailed;
  counts_.count_reason("scan_queue");
  slots_[index].session->set_verdict(smtp::reply(451, "4.3.2", "too busy; try again later"));
  --under_way_;
  park(index, net::Ready::to_write);
}

// The verdict may come on the spool's committer thread, which must be back at its work at once: so it is only put into the
// session, and the session is parked until there is room to write, which is now; an I/O thread takes it from there.
void Inbound::accept_message(std::uint32_t index, Submission submission) {
  acceptance_.accept(
      std::move(submission),
      [this, index](smtp::Reply reply) {
        slots_[index].session->set_verdict(std::move(reply));
        park(index, net::Ready::to_write);
        --under_way_;
      },
      stop_.get_token());
}

void Inbound::scan() {
  for (;;) {
    std::unique_lock lock(queue_mutex_);
    queue_filled_.wait(lock, [this] { return !queue_.empty() || stop_.stop_requested(); });
    if (stop_.stop_requested()) return;
    Waiting next = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    accept_message(next.index, std::move(next.submission));
  }
}

void Inbound::close(std::uint32_t index) {
  Slot& slot = slots_[index];
  const std::string ip = slot.session->ip();
  slot.session.reset();  // closes the socket, which leaves the parking by that
  const std::uint64_t generation = (slot.state.load() >> phase_bits) + 1;
  slot.state = (generation & ((std::uint64_t{1} << 32) - 1)) << phase_bits | vacant;
  --counts_.connections_open;
  {
    const std::lock_guard lock(free_mutex_);
    free_.push_back(index);
  }
  gate_.leave(ip);  // last: whom the gate lets in now finds a slot
}

// Looks at every parked session twice a second: a few thousand comparisons.
void Inbound::watch_time(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any sleep;
  for (std::unique_lock lock(mutex); !sleep.wait_for(lock, stop, 500ms, [&stop] { return stop.stop_requested(); });) {
    const std::int64_t now = milliseconds(std::chrono::steady_clock::now());
    for (std::uint32_t index = 0; index < slots_.size(); ++index) {
      Slot& slot = slots_[index];
      std::uint64_t seen = slot.state.load();
      if ((seen & 0xff) != parked || slot.deadline > now) continue;
      if (slot.state.compare_exchange_strong(seen, seen >> phase_bits << phase_bits | running)) expire(index);
    }
  }
}

// The socket is only shut down here: that makes an event, and the I/O thread that gets it closes the session. Closing it at
// once could take the descriptor away under a thread that is just arming it.
void Inbound::expire(std::uint32_t index) {
  Slot& slot = slots_[index];
  ++counts_.timeouts;
  slot.session->expire();
  slot.deadline = milliseconds(std::chrono::steady_clock::now() + 60s);
  std::uint64_t expected = slot.state.load() >> phase_bits << phase_bits | running;
  if (!slot.state.compare_exchange_strong(expected, expected >> phase_bits << phase_bits | parked)) close(index);  // it was rung
}

}  // namespace mailhold::gateway
