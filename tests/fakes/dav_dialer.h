// Sessions with a real DAV server over plain HTTP on this machine, each request with its Authorization: what brokerd and authd do
// in programs, for tests that stand alone. MAILHOLD_DAV_PEER=127.0.0.1:5232:user:password
#pragma once

#include <sys/socket.h>

#include <cstdlib>
#include <thread>

#include "base/text.h"
#include "features/mailboxes/mailbox.h"
#include "formats/http/request.h"
#include "platform/net/connect.h"
#include "platform/net/stream.h"

namespace mailhold {

class DavDialer final : public mailboxes::SessionSource {
 public:
  static std::unique_ptr<DavDialer> from_environment() {
    const char* peer = std::getenv("MAILHOLD_DAV_PEER");
    if (peer == nullptr) return nullptr;
    const auto words = split(peer, ':');
    if (words.size() != 4) return nullptr;
    return std::unique_ptr<DavDialer>(new DavDialer(std::string(words[0]), static_cast<std::uint16_t>(*to_number(words[1])),
                                                    to_base64(std::string(words[2]) + ":" + std::string(words[3]))));
  }
  ~DavDialer() override {
    for (std::thread& each : sessions_) each.join();
  }

  Result<ipc::OwnedFd> open(Id, Id, std::string_view, const Deadline&) override {
    return Error{ErrorKind::unsupported, "no IMAP here"};
  }
  // One request, as with every server that closes after its answer.
  Result<ipc::OwnedFd> open_http(Id, Id, std::string_view, const Deadline&) override {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    sessions_.emplace_back([this, socket = ends[1]] { serve(net::stream_over(socket)); });
    return ipc::OwnedFd(ends[0]);
  }

  void remove(const std::string& path) const {
    const auto socket = net::connect_tcp(host_, port_, soon());
    const auto server = net::stream_over(*socket);
    (void)server->write_all("DELETE " + path + " HTTP/1.0\r\nHost: x\r\nAuthorization: Basic " + credential_ + "\r\n\r\n",
                            soon());
    while (true) {
      const auto bytes = server->read_some(soon());
      if (!bytes || bytes->empty()) return;
    }
  }

 private:
  DavDialer(std::string host, std::uint16_t port, std::string credential)
      : host_(std::move(host)), port_(port), credential_(std::move(credential)) {}
  static Deadline soon() { return Deadline::after(std::chrono::seconds(60)); }

  void serve(std::unique_ptr<net::Stream> worker) const {
    http::RequestParser parser({.body_bytes_max = 64U << 20});
    while (true) {
      const auto bytes = worker->read_some(soon());
      if (!bytes || bytes->empty()) return;
      if (parser.feed(*bytes) != http::RequestParser::State::wants_more) break;
    }
    const http::Request& request = parser.request();
    const auto socket = net::connect_tcp(host_, port_, soon());
    if (!socket) return;
    const auto server = net::stream_over(*socket);
    std::string head = request.method + " " + request.target + " HTTP/1.0\r\n";
    for (const auto& [name, value] : request.fields) head += name + ": " + value + "\r\n";
    if (!server->write_all(head + "Authorization: Basic " + credential_ + "\r\n\r\n" + request.body, soon())) return;
    while (true) {
      const auto bytes = server->read_some(soon());
      if (!bytes || bytes->empty() || !worker->write_all(*bytes, soon())) return;
    }
  }

  const std::string host_;
  const std::uint16_t port_;
  const std::string credential_;
  std::vector<std::thread> sessions_;
};

}  // namespace mailhold
