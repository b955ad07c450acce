// An SMTP server on a loopback port that can be as bad as a test wants it: it answers from a script, drops
// connections at any point, and remembers every message it took responsibility for.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "platform/net/tls_server.h"

namespace mailhold::fakes {

struct ReceivedMessage {
  std::string mail_from;
  std::vector<std::string> rcpt_to;
  std::string body;  // dots undone
};

// What a hook may answer besides a reply (without CRLF; "\n" separates lines).
inline constexpr const char* drop = "(drop)";                    // close without a word
inline constexpr const char* take_and_drop = "(take and drop)";  // the message counts, but no reply tells so

class SmtpServer {
 public:
  // Set before the first connection; called by several threads, one for each connection.
  std::function<std::optional<std::string>(const std::string& line)> on_command;         // nothing: the usual reply
  std::function<std::optional<std::string>(const ReceivedMessage& message)> on_message;  // at the final dot
  std::atomic<std::size_t> drop_after_body_bytes{0};                                     // 0: never
  std::atomic<bool> offers_pipelining{true}, refuses_connections{false};
  std::shared_ptr<const net::TlsIdentity> identity;  // offers STARTTLS

  SmtpServer() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 128);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { accept_all(); });
  }
  ~SmtpServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
    {
      const std::lock_guard lock(mutex_);
      for (const int socket : open_) ::shutdown(socket, SHUT_RDWR);
    }
    for (std::thread& session : sessions_) session.join();
  }
  SmtpServer(const SmtpServer&) = delete;
  SmtpServer& operator=(const SmtpServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::vector<ReceivedMessage> messages() const {
    const std::lock_guard lock(mutex_);
    return messages_;
  }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return messages_.size();
  }
  int connections() const { return connections_; }
  // Messages between DATA and their reply. When a client has closed a session, that client alone knows at once.
  int receiving_at_once_most() const { return receiving_most_; }

 private:
  // One connection, plain or TLS.
  struct Wire {
    int socket;
    std::unique_ptr<net::TlsServerSession> tls;
    std::string pending;

    bool read_more() {
      char buffer[65536];
      const ssize_t count = ::recv(socket, buffer, sizeof buffer, 0);
      if (count <= 0) return false;
      if (!tls) {
        pending.append(buffer, static_cast<std::size_t>(count));
        return true;
      }
      const bool went_well = static_cast<bool>(tls->receive({buffer, static_cast<std::size_t>(count)}, pending));
      flush();
      return went_well;
    }
    void flush() {
      if (!tls || tls->output().empty()) return;
      (void)!::send(socket, tls->output().data(), tls->output().size(), MSG_NOSIGNAL);
      tls->output().clear();
    }
    bool read_line(std::string& line) {
      for (std::size_t end; (end = pending.find("\r\n")) == std::string::npos;)
        if (!read_more()) return false;
      const std::size_t end = pending.find("\r\n");
      line = pending.substr(0, end);
      pending.erase(0, end + 2);
      return true;
    }
    void say(const std::string& text) {
      std::string bytes;
      for (const char letter : text) {
        if (letter == '\n') bytes += '\r';
        bytes += letter;
      }
      bytes += "\r\n";
      if (tls) {
        static_cast<void>(static_cast<bool>(tls->send(bytes)));
        flush();
      } else
        (void)!::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    }
  };

  void accept_all() {
    for (;;) {
      const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) return;
      if (refuses_connections) {
        ::close(socket);
        continue;
      }
      const int at_once = 1;  // replies leave one by one: they must not wait for each other's acknowledgement
      ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
      ++connections_;
      const std::lock_guard lock(mutex_);
      open_.push_back(socket);
      sessions_.emplace_back([this, socket] {
        serve(socket);
        const std::lock_guard inner(mutex_);
        open_.remove(socket);
        ::close(socket);
      });
    }
  }

  std::string usual_reply(const std::string& line, ReceivedMessage& current, const Wire& wire) {
    const std::string verb = line.substr(0, 4);
    if (verb == "EHLO") {
      return std::string("250-fake\n") + (offers_pipelining ? "250-PIPELINING\n" : "") +
             (identity && !wire.tls ? "250-STARTTLS\n" : "") + "250 8BITMIME";
    }
    if (verb == "MAIL") current = {line.substr(11, line.find('>') - 11), {}, {}};
    if (verb == "RCPT") current.rcpt_to.push_back(line.substr(9, line.find('>') - 9));
    if (verb == "DATA") return current.rcpt_to.empty() ? "503 5.5.1 no recipients" : "354 go on";
    if (verb == "QUIT") return "221 bye";
    return "250 2.0.0 ok";
  }

  void serve(int socket) {
    Wire wire{socket, nullptr, {}};
    ReceivedMessage current;
    std::string line;
    if (const auto greeting = on_command ? on_command("(greeting)") : std::nullopt) {
      if (*greeting == drop) return;
      wire.say(*greeting);
    } else {
      wire.say("220 fake");
    }
    while (wire.read_line(line)) {
      if (line == "STARTTLS" && identity) {
        wire.say("220 go");
        wire.tls = std::make_unique<net::TlsServerSession>(identity);
        while (!wire.tls->is_established())
          if (!wire.read_more()) return;
        continue;
      }
      const std::string usual = usual_reply(line, current, wire);
      const std::string reply = on_command ? on_command(line).value_or(usual) : usual;
      if (reply == drop) return;
      if (line.starts_with("RCPT") && reply[0] != '2') current.rcpt_to.pop_back();
      wire.say(reply);
      if (line == "QUIT") return;
      if (line == "DATA" && reply.starts_with("354") && !take_body(wire, current)) return;
    }
  }

  // Counts itself while it lives.
  struct Receiving {
    explicit Receiving(SmtpServer& in) : server(in) {
      const std::lock_guard lock(server.mutex_);
      server.receiving_most_ = std::max(server.receiving_most_.load(), ++server.receiving_);
    }
    ~Receiving() { --server.receiving_; }
    SmtpServer& server;
  };

  bool take_body(Wire& wire, ReceivedMessage& current) {
    auto receiving = std::make_unique<Receiving>(*this);
    std::string line;
    while (wire.read_line(line) && line != ".") {
      current.body.append(line.starts_with('.') ? line.substr(1) : line).append("\r\n");
      if (drop_after_body_bytes != 0 && current.body.size() > drop_after_body_bytes) return false;
    }
    if (line != ".") return false;
    const std::string reply = on_message ? on_message(current).value_or("250 2.0.0 taken") : "250 2.0.0 taken";
    if (reply[0] == '2' || reply == take_and_drop) {
      const std::lock_guard lock(mutex_);
      messages_.push_back(current);
    }
    current = {};
    if (reply == drop || reply == take_and_drop) return false;
    receiving.reset();  // before the reply: after it the client may begin another elsewhere
    wire.say(reply);
    return true;
  }

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0}, receiving_{0}, receiving_most_{0};
  std::thread thread_;
  mutable std::mutex mutex_;
  std::vector<ReceivedMessage> messages_;  // guarded by mutex_
  std::list<int> open_;                    // guarded by mutex_
  std::list<std::thread> sessions_;
};

}  // namespace mailhold::fakes
