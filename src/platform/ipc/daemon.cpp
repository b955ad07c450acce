#include "platform/ipc/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <deque>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "platform/crypto/prepare.h"
#include "platform/ipc/messages.h"
#include "platform/ipc/unit_socket.h"
#include "platform/net/wait.h"

namespace mailhold::ipc {
namespace {

enum class Kind : std::uint8_t { start = 1, peer = 2, go = 3, stop = 4 };
constexpr int control_descriptor = 3;
constexpr auto patience_at_the_end = std::chrono::seconds(10);

void write_map(ByteWriter& writer, const std::map<std::string, std::string>& values) {
  writer.u32(static_cast<std::uint32_t>(values.size()));
  for (const auto& [key, value] : values) writer.text(key).text(value);
}

std::map<std::string, std::string> read_map(ByteReader& reader) {
  std::map<std::string, std::string> values;
  for (std::uint32_t left = reader.count(8); left > 0; --left) {
    const std::string key(reader.text());
    values[key] = std::string(reader.text());
  }
  return values;
}

// The supervisor kills a child of its that does not end in time; in a unit of its own SIGALRM does.
void end_within(std::chrono::seconds patience) {
  const itimerval once{{0, 0}, {patience.count(), 0}};
  ::setitimer(ITIMER_REAL, &once, nullptr);
}

// A program with one thread has none to wait for the supervisor's word or end: the kernel tells it.
Status end_with(int control) {
  ::signal(SIGIO, [](int) { ::_exit(0); });
  if (::fcntl(control, F_SETOWN, ::getpid()) != 0 || ::fcntl(control, F_SETFL, ::fcntl(control, F_GETFL) | O_ASYNC) != 0)
    return Error{ErrorKind::unsupported, std::string("no signal from the supervisor's channel: ") + std::strerror(errno)};
  if (net::wait_until(control, net::Ready::to_read, Deadline::after(std::chrono::seconds(0)))) ::_exit(0);  // it came before
  return done();
}

// The last catch of a call: an exception of a library must not end the process.
void serve_call(const Handler& handler, const std::shared_ptr<Call>& call) {
  try {
    handler(call);
  } catch (const std::exception& exception) {
    log_error("daemon", std::string("a call ended in an exception: ") + exception.what());
    call->fail(Error{ErrorKind::bug, "internal error"});
  }
}

[[noreturn]] void give_up(std::string_view why) {
  log_error("daemon", why);
  std::_Exit(70);
}

}  // namespace

std::string StartMessage::encode() const {
  ByteWriter writer;
  writer.u8(static_cast<std::uint8_t>(Kind::start));
  write_map(writer, settings);
  write_map(writer, directories);
  writer.u32(static_cast<std::uint32_t>(listeners.size()));
  for (const auto& name : listeners) writer.text(name);
  return writer.take();
}

Result<StartMessage> StartMessage::parse(std::string_view bytes) {
  ByteReader reader(bytes);
  StartMessage message;
  if (reader.u8() != static_cast<std::uint8_t>(Kind::start)) return Error{ErrorKind::corrupt, "not a start message"};
  message.settings = read_map(reader);
  message.directories = read_map(reader);
  for (std::uint32_t left = reader.count(4); left > 0; --left) message.listeners.emplace_back(reader.text());
  RETURN_IF_ERROR(reader.finish());
  return message;
}

std::string encode_peer(std::string_view role, Side side) {
  return ByteWriter().u8(static_cast<std::uint8_t>(Kind::peer)).u8(static_cast<std::uint8_t>(side)).text(role).take();
}
std::string encode_go() { return ByteWriter().u8(static_cast<std::uint8_t>(Kind::go)).take(); }
std::string encode_stop() { return ByteWriter().u8(static_cast<std::uint8_t>(Kind::stop)).take(); }
std::string encode_ready(std::int64_t process) {
  return ByteWriter().text("ready").u64(static_cast<std::uint64_t>(process)).take();
}
std::optional<std::int64_t> parse_ready(std::string_view bytes) {
  ByteReader reader(bytes);
  if (reader.text() != "ready") return std::nullopt;
  const auto process = static_cast<std::int64_t>(reader.u64());
  return reader.finish() ? std::optional(process) : std::nullopt;
}

std::unique_ptr<Daemon> Daemon::start(std::string_view program_name, Threads threads) {
  set_program_name(program_name);
  crypto::prepare();
  if (::fcntl(control_descriptor, F_SETFD, FD_CLOEXEC) != 0) {
    give_up("this program is started by `mailhold up` or by its unit, not by hand");
  }
  std::unique_ptr<Daemon> daemon(new Daemon(threads));
  daemon->is_unit_ = is_started_by_unit();
  if (daemon->is_unit_) {
    if (const Status checked = check_unit_connection(control_descriptor); !checked) give_up(checked.error().detail);
  }
  daemon->control_ = std::make_shared<Channel>(OwnedFd(control_descriptor));
  bool go = false;
  bool stop = false;
  while (!go) {
    Result<Frame> frame = daemon->control_->receive(Deadline::after(std::chrono::seconds(30)));
    if (!frame) give_up("no word from the supervisor: " + frame.error().detail);
    if (const Status taken = daemon->take(std::move(*frame), go, stop); !taken) give_up(taken.error().detail);
    if (stop) std::_Exit(0);
  }
  if (daemon->is_unit_ && threads == Threads::one) {
    if (const Status watched = end_with(control_descriptor); !watched) give_up(watched.error().detail);
  }
  return daemon;
}

Status Daemon::take(Frame frame, bool& go, bool& stop) {
  ByteReader reader(frame.bytes);
  switch (static_cast<Kind>(reader.u8())) {
    case Kind::start: {
      ASSIGN_OR_RETURN(start_, StartMessage::parse(frame.bytes));
      if (frame.fds.size() != start_.listeners.size()) return Error{ErrorKind::corrupt, "start message without its sockets"};
      for (std::size_t i = 0; i < frame.fds.size(); ++i) listeners_[start_.listeners[i]] = std::move(frame.fds[i]);
      return done();
    }
    case Kind::peer: {
      const Side side = static_cast<Side>(reader.u8());
      const std::string_view role = reader.text();
      RETURN_IF_ERROR(reader.finish());
      if (frame.fds.size() != 1) return Error{ErrorKind::corrupt, "peer message without its socket"};
      take_peer(role, side, std::move(frame.fds.front()));
      return done();
    }
    case Kind::go: go = true; return done();
    case Kind::stop: stop = true; return done();
  }
  return Error{ErrorKind::corrupt, "an unknown word from the supervisor"};
}

void Daemon::take_peer(std::string_view role, Side side, OwnedFd socket) {
  if (side == Side::calls) {
    peer(std::string(role))->connect(std::move(socket));
    return;
  }
  const std::lock_guard lock(mutex_);
  waiting_.emplace_back(std::string(role), std::make_shared<Channel>(std::move(socket)));
}

std::shared_ptr<Client> Daemon::peer(const std::string& role) {
  const std::lock_guard lock(mutex_);
  auto& client = clients_[role];
  if (!client) client = std::make_shared<Client>(role, threads_ == Threads::one ? Replies::by_caller : Replies::by_thread);
  return client;
}

std::string Daemon::directory(const std::string& name) const {
  const auto found = start_.directories.find(name);
  if (found == start_.directories.end()) give_up("the supervisor gave no folder named " + name);
  return found->second;
}

OwnedFd Daemon::listener(const std::string& name) {
  const auto found = listeners_.find(name);
  if (found == listeners_.end() || !found->second.is_open()) give_up("the supervisor gave no listening socket named " + name);
  return std::move(found->second);
}

// The calls of all peers, shared out among the worker threads.
struct Daemon::Serving {
  static constexpr std::size_t calls_waiting_max = 4096;
  explicit Serving(Handler chosen) : handler(std::move(chosen)) {}

  void take(std::shared_ptr<Call> call) {
    {
      const std::lock_guard lock(mutex);
      if (calls.size() < calls_waiting_max) {
        calls.push_back(std::move(call));
        arrived.notify_one();
        return;
      }
    }
    call->fail(Error{ErrorKind::limit_exceeded, "too many calls are waiting"});
  }

  void work(const std::stop_token& stop) {
    for (;;) {
      std::shared_ptr<Call> call;
      {
        std::unique_lock lock(mutex);
        if (!arrived.wait(lock, stop, [&] { return !calls.empty(); })) return;
        call = std::move(calls.front());
        calls.pop_front();
      }
      serve_call([this](const auto& one) { answer(one); }, call);
    }
  }

  void answer(const std::shared_ptr<Call>& call) {
    if (call->method() == method_metrics && call->peer == "apid") return call->reply(write_families(metrics().families()));
    calls_answered.add();
    handler(call);
  }

  Handler handler;
  Counter& calls_answered = metrics().counter("mailhold_calls_total", "Calls that other processes of ours made.");
  std::mutex mutex;
  std::condition_variable_any arrived;
  std::deque<std::shared_ptr<Call>> calls;  // guarded by mutex
};

int Daemon::run(Handler handler, int workers) {
  Serving serving(std::move(handler));
  std::vector<std::jthread> threads;
  threads.reserve(static_cast<std::size_t>(workers));
  for (int i = 0; i < workers; ++i) threads.emplace_back([&](const std::stop_token& stop) { serving.work(stop); });
  struct Peer {
    std::shared_ptr<Channel> channel;
    std::shared_ptr<std::atomic<bool>> gone;
    std::jthread reader;
  };
  std::vector<Peer> serving_peers;
  // New peers get a reading thread each; those of peers that are gone end here.
  const auto serve_waiting = [&] {
    std::vector<std::pair<std::string, std::shared_ptr<Channel>>> peers;
    {
      const std::lock_guard lock(mutex_);
      peers.swap(waiting_);
    }
    std::erase_if(serving_peers, [](const Peer& each) { return each.gone->load(); });
    for (auto& [role, channel] : peers) {
      auto gone = std::make_shared<std::atomic<bool>>(false);
      serving_peers.push_back(
          {channel, gone, std::jthread([&serving, gone, name = role, served = channel](const std::stop_token& stop) {
             serve_channel(served, name, [&serving](std::shared_ptr<Call> call) { serving.take(std::move(call)); }, stop);
             *gone = true;
           })});
    }
  };
  serve_waiting();
  metrics()
      .gauge("mailhold_start_time_seconds", "When the process began to serve, in seconds since 1970.")
      .set(static_cast<double>(system_clock().now()) / 1000);
  (void)control_->send(encode_ready(::getpid()), Deadline::after(std::chrono::seconds(5)));
  const Deadline forever{std::chrono::steady_clock::now() + std::chrono::hours(24 * 365), stop_.get_token()};
  for (bool go = false, stopping = false; !stopping;) {
    Result<Frame> frame = control_->receive(forever);
    // The supervisor is gone. A child of its would be killed with it; in a unit of its own the program sees to that itself.
    if (!frame && is_unit_ && frame.error().kind != ErrorKind::cancelled) std::_Exit(0);
    if (!frame) break;  // or stop() was called
    if (const Status taken = take(std::move(*frame), go, stopping); !taken) log_error("daemon", taken.error().detail);
    serve_waiting();
  }
  for (const Peer& each : serving_peers) each.channel->close();
  if (is_unit_) end_within(patience_at_the_end);
  return 0;
}

int Daemon::run_alone(const Handler& handler) {
  if (waiting_.size() != 1) give_up("a program with one thread serves one peer");
  const auto [role, channel] = std::exchange(waiting_, {}).front();
  (void)control_->send(encode_ready(::getpid()), Deadline::after(std::chrono::seconds(5)));
  const auto serve = [&](const std::shared_ptr<Call>& call) {
    serve_call(handler, call);
    if (stop_.stop_requested()) channel->close();
  };
  serve_channel(channel, role, serve, {});
  return 0;
}

void Daemon::stop() { stop_.request_stop(); }

}  // namespace mailhold::ipc
