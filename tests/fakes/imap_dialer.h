// Sessions with a real IMAP server that signs in by itself: what brokerd does in programs, for tests that stand alone.
// MAILHOLD_IMAP_PEER=127.0.0.1:10143:user:password
#pragma once

#include <sys/socket.h>

#include <cstdlib>
#include <thread>

#include "base/text.h"
#include "features/mailboxes/mailbox.h"
#include "platform/net/connect.h"
#include "platform/net/stream.h"

namespace mailhold {

class ImapDialer final : public mailboxes::SessionSource {
 public:
  static std::unique_ptr<ImapDialer> from_environment() {
    const char* peer = std::getenv("MAILHOLD_IMAP_PEER");
    if (peer == nullptr) return nullptr;
    const auto words = split(peer, ':');
    if (words.size() != 4) return nullptr;
    return std::unique_ptr<ImapDialer>(new ImapDialer(std::string(words[0]), static_cast<std::uint16_t>(*to_number(words[1])),
                                                      std::string(words[2]), std::string(words[3])));
  }
  ~ImapDialer() override {
    for (std::thread& each : relays_) each.join();
  }

  Result<ipc::OwnedFd> open(Id, Id, std::string_view, const Deadline& deadline) override {
    ASSIGN_OR_RETURN(const int socket, net::connect_tcp(host_, port_, deadline));
    auto server = std::shared_ptr<net::Stream>(net::stream_over(socket));
    std::string seen;
    RETURN_IF_ERROR(server->write_all("d1 LOGIN \"" + user_ + "\" \"" + password_ + "\"\r\n", deadline));
    while (seen.find("\nd1 ") == std::string::npos || !seen.ends_with("\r\n")) {
      ASSIGN_OR_RETURN(const std::string bytes, server->read_some(deadline));
      if (bytes.empty()) return Error{ErrorKind::unavailable, "no sign-in"};
      seen += bytes;
    }
    if (seen.find("\nd1 OK") == std::string::npos) return Error{ErrorKind::denied, "no sign-in"};
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    auto worker = std::shared_ptr<net::Stream>(net::stream_over(ends[1]));
    RETURN_IF_ERROR(worker->write_all("* PREAUTH signed in\r\n", deadline));
    const auto relay = [](const std::shared_ptr<net::Stream>& from, const std::shared_ptr<net::Stream>& to, int fd) {
      for (;;) {
        const auto bytes = from->read_some(Deadline::after(std::chrono::seconds(60)));
        if (!bytes || bytes->empty() || !to->write_all(*bytes, Deadline::after(std::chrono::seconds(60)))) break;
      }
      ::shutdown(fd, SHUT_RDWR);
    };
    relays_.emplace_back(relay, server, worker, ends[1]);
    relays_.emplace_back(relay, worker, server, socket);
    return ipc::OwnedFd(ends[0]);
  }

 private:
  ImapDialer(std::string host, std::uint16_t port, std::string user, std::string password)
      : host_(std::move(host)), port_(port), user_(std::move(user)), password_(std::move(password)) {}
  const std::string host_;
  const std::uint16_t port_;
  const std::string user_, password_;
  std::vector<std::thread> relays_;
};

}  // namespace mailhold
