#include "features/links/link_server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.h"
#include "features/links/pages.h"
#include "platform/net/listener.h"

namespace mailhold::links {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t listener_tag = 0;
constexpr std::chrono::milliseconds sweep_time{250};
constexpr std::chrono::milliseconds drain_time{1'000};
constexpr std::size_t drained_bytes_max = 64 * 1024;
constexpr int accepts_at_once = 64;

}  // namespace

struct LinkServer::Connection {
  enum class Phase { reading, writing, draining };

  Connection(int socket_given, std::string ip_given, AddressLimits& limits_given)
      : socket(socket_given), ip(std::move(ip_given)), limits(limits_given) {}
  ~Connection() {
    ::close(socket);
    if (counted) limits.remove_connection(ip);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  const int socket;
  const std::string ip;
  AddressLimits& limits;
  bool counted = false;
  Phase phase = Phase::reading;
  http::RequestParser parser;
  std::string reply;
  std::size_t sent = 0;
  std::size_t drained = 0;
  Clock::time_point ends_at{};  // guarded by the server's mutex while parked
  bool is_parked = false;       // guarded by the server's mutex
};

Result<std::unique_ptr<LinkServer>> LinkServer::start(int listener, Answer answer, LinkServerSettings settings) {
  Result<net::Parking> parking = net::Parking::open();
  if (!parking) {
    ::close(listener);
    return parking.error();
  }
  std::unique_ptr<LinkServer> server(new LinkServer(listener, std::move(*parking), std::move(answer), std::move(settings)));
  RETURN_IF_ERROR(server->parking_.add(listener, listener_tag, net::Ready::to_read));
  for (int i = 0; i < std::max(1, server->settings_.threads); ++i)
    server->threads_.emplace_back([raw = server.get()] { raw->work(); });
  return server;
}

LinkServer::LinkServer(int listener, net::Parking parking, Answer answer, LinkServerSettings settings)
    : listener_(listener),
      parking_(std::move(parking)),
      answer_(std::move(answer)),
      settings_(std::move(settings)),
      limits_(settings_.address) {
  // The socket may come from the supervisor, which need not know that we never wait in accept.
  const int flags = ::fcntl(listener, F_GETFL);
  static_cast<void>(::fcntl(listener, F_SETFL, flags | O_NONBLOCK));
}

LinkServer::~LinkServer() {
  stop();
  ::close(listener_);
}

void LinkServer::stop() {
  stop_.request_stop();
  parking_.stop();
  threads_.clear();
  const std::lock_guard lock(mutex_);
  connections_.clear();
}

std::size_t LinkServer::connection_count() const {
  const std::lock_guard lock(mutex_);
  return connections_.size();
}

void LinkServer::work() {
  while (!stop_.stop_requested()) {
    const std::optional<std::uint64_t> tag = parking_.wait(sweep_time);
    if (tag == listener_tag) {
      accept_some();
    } else if (tag) {
      serve(*tag);
    }
    sweep();
  }
}

void LinkServer::accept_some() {
  for (int i = 0; i < accepts_at_once; ++i) {
    Result<net::Accepted> accepted = net::accept_tcp(listener_);
    if (!accepted) {
      // No descriptor left: the waiting connection would wake us again at once.
      if (accepted.error().kind == ErrorKind::limit_exceeded) std::this_thread::sleep_for(std::chrono::milliseconds(50));
      break;
    }
    auto connection = std::make_shared<Connection>(accepted->socket, accepted->ip, limits_);
    const Clock::time_point now = Clock::now();
    const bool is_counted = !is_trusted(connection->ip);
    if (is_counted && !limits_.add_connection(connection->ip, now)) continue;
    connection->counted = is_counted;
    connection->ends_at = now + settings_.request_time;
    connection->is_parked = true;
    const std::lock_guard lock(mutex_);
    if (connections_.size() >= settings_.connections_max) continue;
    const std::uint64_t tag = next_tag_++;
    connections_.emplace(tag, connection);
    if (!parking_.add(connection->socket, tag, net::Ready::to_read)) connections_.erase(tag);
  }
  static_cast<void>(parking_.arm(listener_, listener_tag, net::Ready::to_read));
}

void LinkServer::serve(std::uint64_t tag) {
  std::shared_ptr<Connection> connection;
  {
    const std::lock_guard lock(mutex_);
    const auto found = connections_.find(tag);
    if (found == connections_.end()) return;
    connection = found->second;
    connection->is_parked = false;
  }
  const Connection::Phase before = connection->phase;
  const Next next = step(*connection);
  const std::lock_guard lock(mutex_);
  if (next == Next::close) {
    connections_.erase(tag);
    return;
  }
  if (connection->phase != before) {
    connection->ends_at = Clock::now() + (connection->phase == Connection::Phase::draining ? drain_time : settings_.reply_time);
  }
  connection->is_parked = true;
  const net::Ready ready = next == Next::wait_to_read ? net::Ready::to_read : net::Ready::to_write;
  if (!parking_.arm(connection->socket, tag, ready)) connections_.erase(tag);
}

LinkServer::Next LinkServer::step(Connection& connection) {
  switch (connection.phase) {
    case Connection::Phase::reading: return read_request(connection);
    case Connection::Phase::writing: return write_reply(connection);
    case Connection::Phase::draining: return drain(connection);
  }
  return Next::close;
}

LinkServer::Next LinkServer::read_request(Connection& connection) {
  using State = http::RequestParser::State;
  std::array<char, 16 * 1024> buffer;
  for (;;) {
    const ssize_t count = ::recv(connection.socket, buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Next::wait_to_read;
    if (count <= 0) return Next::close;
    if (connection.parser.feed({buffer.data(), static_cast<std::size_t>(count)}) == State::wants_more) continue;
    make_reply(connection);
    connection.phase = Connection::Phase::writing;
    return write_reply(connection);
  }
}

void LinkServer::make_reply(Connection& connection) {
  const bool is_head = connection.parser.request().method == "HEAD";
  const http::Body body = is_head ? http::Body::leave_out : http::Body::send;
  Result<std::string> bytes = http::write(respond(connection), body);
  // An answer with a broken field never leaves; the reader gets a plain page instead.
  if (!bytes) bytes = http::write(notice_page(Language::english, Notice::try_again, 503), body);
  connection.reply = bytes ? std::move(*bytes) : std::string();
}

http::Response LinkServer::respond(Connection& connection) {
  const http::RequestParser& parser = connection.parser;
  if (parser.status() != 0) return notice_page(Language::english, Notice::bad_request, parser.status());
  if (!may_ask(connection)) {
    const Language language = preferred_language(parser.request().field("accept-language"));
    http::Response response = notice_page(language, Notice::too_many_requests, 429);
    response.fields.emplace_back("Retry-After", "5");
    return response;
  }
  return answer_(parser.request(), Deadline::after(settings_.answer_time, stop_.get_token()));
}

bool LinkServer::may_ask(const Connection& connection) const {
  std::string ip = connection.ip;
  if (is_trusted(ip)) {
    // Only the last entry was written by the terminator itself; those before it came from outside.
    const std::string_view forwarded = connection.parser.request().field("x-forwarded-for");
    const std::string_view last = trim(forwarded.substr(forwarded.rfind(',') + 1));
    if (!last.empty()) ip = last.substr(0, 64);
  }
  return limits_.take_request(ip, Clock::now());
}

bool LinkServer::is_trusted(const std::string& ip) const {
  return std::find(settings_.trusted_proxies.begin(), settings_.trusted_proxies.end(), ip) != settings_.trusted_proxies.end();
}

LinkServer::Next LinkServer::write_reply(Connection& connection) {
  while (connection.sent < connection.reply.size()) {
    const std::string_view rest = std::string_view(connection.reply).substr(connection.sent);
    const ssize_t count = ::send(connection.socket, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Next::wait_to_write;
    if (count <= 0) return Next::close;
    connection.sent += static_cast<std::size_t>(count);
  }
  // Closing while bytes of the peer are unread would reset the connection and lose our reply: RFC 9112 section 9.6.
  ::shutdown(connection.socket, SHUT_WR);
  connection.phase = Connection::Phase::draining;
  return drain(connection);
}

LinkServer::Next LinkServer::drain(Connection& connection) {
  std::array<char, 16 * 1024> buffer;
  while (connection.drained < drained_bytes_max) {
    const ssize_t count = ::recv(connection.socket, buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Next::wait_to_read;
    if (count <= 0) return Next::close;
    connection.drained += static_cast<std::size_t>(count);
  }
  return Next::close;
}

// Closes what has used up its time. One that is being served now is left to its own deadlines.
void LinkServer::sweep() {
  const Clock::time_point now = Clock::now();
  const std::lock_guard lock(mutex_);
  if (now - swept_at_ < sweep_time) return;
  swept_at_ = now;
  std::erase_if(connections_, [now](const auto& entry) { return entry.second->is_parked && entry.second->ends_at <= now; });
}

}  // namespace mailhold::links
