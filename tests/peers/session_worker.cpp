// A worker under test: started by the supervisor in the place of workerd (or of gatewayd), it opens sessions for whoever
// asks on a local socket and hands them over. So a test stands where a worker stands, with what a worker gets and no more.
//
//   socket   <mailhold.data>/../worker/<program>[-<argument>].sock, frames of ipc::Channel
//   ask      "imap CONNECTION PURPOSE", "pop3 …", "http …", "ldap …", or "smtp TENANT ROUTE"; for imap and http also
//            "… PERMIT", the SHA-256 of a signed operation in hex
//   answer   "ok" with one descriptor, or "KIND detail"
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

#include "base/log.h"
#include "base/text.h"
#include "core/broker/broker_client.h"
#include "core/broker/broker_messages.h"
#include "platform/ipc/daemon.h"

namespace {

using namespace mailhold;
using namespace std::chrono_literals;

Result<ipc::OwnedFd> open(broker::BrokerClient& client, ipc::Client& brokerd, const std::string& ask) {
  const auto words = split(ask, ' ');
  if (words.size() != 3 && words.size() != 4) return Error{ErrorKind::invalid_input, "three words, or four with a permit"};
  ASSIGN_OR_RETURN(const Id first, Id::parse(words[1]));
  const std::string permit = from_hex(words.size() == 4 ? words[3] : "").value_or("");
  const Deadline deadline = Deadline::after(120s);
  if (words[0] == "imap") return client.open_imap_session(first, words[2], Id::random(), deadline, {}, permit);
  if (words[0] == "pop3") return client.open_pop3_session(first, words[2], Id::random(), deadline);
  if (words[0] == "http") return client.open_http_session(first, words[2], Id::random(), deadline, {}, permit);
  if (words[0] == "ldap") return client.open_ldap_session(first, words[2], Id::random(), deadline);
  ASSIGN_OR_RETURN(const Id route, Id::parse(words[2]));
  ASSIGN_OR_RETURN(ipc::Frame reply, brokerd.call(static_cast<std::uint16_t>(broker::Method::open_session),
                                                  broker::encode(broker::OpenSession{first, route, Id::random()}), deadline));
  return std::move(reply.fds.front());
}

void serve(ipc::OwnedFd socket, ipc::Client& brokerd, broker::BrokerClient& client) {
  ipc::Channel channel(std::move(socket));
  for (;;) {
    const auto frame = channel.receive(Deadline::after(3600s));
    if (!frame) return;
    const auto session = open(client, brokerd, frame->bytes);
    const int fds[] = {session ? session->get() : -1};
    const Status sent =
        session ? channel.send("ok", fds, Deadline::after(10s))
                : channel.send(std::string(name_of(session.error().kind)) + " " + session.error().detail, Deadline::after(10s));
    if (!sent) return;
  }
}

}  // namespace

int main(int count, char** words) {
  auto daemon = ipc::Daemon::start("session_worker");
  std::string name = std::filesystem::path(words[0]).filename();
  for (int i = 1; i < count; ++i) name += std::string("-") + words[i];
  const std::string path =
      std::filesystem::path(daemon->settings().at("mailhold.data")).parent_path() / "worker" / (name + ".sock");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    log_error("session_worker", path + " is too long for a socket");
    return 64;
  }
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ::unlink(path.c_str());
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(listener, 64) != 0) {
    log_error("session_worker", "cannot listen at " + path);
    return 70;
  }
  const auto brokerd = daemon->peer("brokerd");
  broker::BrokerClient client(brokerd);
  std::thread([&] {
    for (;;) {
      const int socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) continue;
      std::thread([&, socket] { serve(ipc::OwnedFd(socket), *brokerd, client); }).detach();
    }
  }).detach();
  const int code = daemon->run(
      [](const std::shared_ptr<ipc::Call>& call) { call->fail(Error{ErrorKind::unsupported, "a worker under test"}); });
  ::_exit(code);  // the threads that listen never end
}
