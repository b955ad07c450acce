#include "core/supervisor/attachment.h"

#include <sys/socket.h>

#include <cerrno>

#include "platform/ipc/unit_socket.h"

namespace mailhold::supervisor {

Result<ipc::OwnedFd> attach(const Settings& settings, const Program& program) {
  auto connection = ipc::connect_to_unit(settings.text("supervisor.sockets") + "/" + program.name + ".sock");
  if (!connection) return connection.error().while_doing("attaching to mailhold-" + program.name + ".socket");
  return connection;
}

// An empty send writes nothing; it fails once the other side is gone, whatever of its words is still unread.
bool has_closed(const ipc::Channel& channel) {
  return ::send(channel.descriptor(), nullptr, 0, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN && errno != EINTR;
}

bool has_words(const ipc::Channel& channel) {
  char byte = 0;
  return ::recv(channel.descriptor(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

}  // namespace mailhold::supervisor
