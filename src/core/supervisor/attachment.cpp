#include "core/supervisor/attachment.h"

#include <poll.h>
#include <sys/socket.h>

#include "platform/ipc/unit_socket.h"

namespace mailhold::supervisor {

Result<ipc::OwnedFd> attach(const Settings& settings, const Program& program) {
  auto connection = ipc::connect_to_unit(settings.text("supervisor.sockets") + "/" + program.name + ".sock");
  if (!connection) return connection.error().while_doing("attaching to mailhold-" + program.name + ".socket");
  return connection;
}

bool has_closed(const ipc::Channel& channel) {
  pollfd look{channel.descriptor(), POLLRDHUP, 0};
  return ::poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

bool has_words(const ipc::Channel& channel) {
  char byte = 0;
  return ::recv(channel.descriptor(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

}  // namespace mailhold::supervisor
