#include "platform/ipc/unit_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/text.h"

namespace mailhold::ipc {
namespace {

constexpr int first_descriptor = 3;  // SD_LISTEN_FDS_START
constexpr std::uint64_t descriptors_max = 16;

Error failed(const std::string& what) { return {ErrorKind::unavailable, what + ": " + std::strerror(errno)}; }

// The user at the other end: of a listening socket who made it, of an accepted one who connected.
Result<uid_t> user_behind(int socket) {
  ucred who{};
  socklen_t length = sizeof who;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0) return failed("asking who is connected");
  return who.uid;
}

std::string variable(const char* name) {
  const char* value = ::getenv(name);  // NOLINT(concurrency-mt-unsafe): before there are threads
  return value == nullptr ? "" : value;
}

// How many descriptors systemd gave to this very process, and not to its parent.
std::uint64_t descriptors_given() {
  const auto process = to_number(variable("LISTEN_PID"));
  const auto count = to_number(variable("LISTEN_FDS"));
  return process && count && *process == static_cast<std::uint64_t>(::getpid()) && *count <= descriptors_max ? *count : 0;
}

}  // namespace

Result<OwnedFd> connect_to_unit(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Error{ErrorKind::invalid_input, path + " is too long for a socket"};
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  OwnedFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return failed(path);
  ASSIGN_OR_RETURN(const uid_t listener, user_behind(socket.get()));
  if (listener != 0) return Error{ErrorKind::denied, path + " is not held by systemd: its listener is not root's"};
  return socket;
}

bool is_started_by_unit() {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  return descriptors_given() == 1 && ::getpeername(first_descriptor, reinterpret_cast<sockaddr*>(&peer), &length) == 0;
}

Status check_unit_connection(int connection) {
  sockaddr_un own{};
  socklen_t length = sizeof own;
  if (::getsockname(connection, reinterpret_cast<sockaddr*>(&own), &length) != 0 || own.sun_family != AF_UNIX ||
      own.sun_path[0] != '/')
    return Error{ErrorKind::denied, "the supervisor's connection did not come through a socket with a path"};
  struct stat file{};
  if (::stat(own.sun_path, &file) != 0) return failed(own.sun_path);
  if ((file.st_mode & 0077U) != 0)
    return Error{ErrorKind::denied, std::string(own.sun_path) + " is open to more than its owner; SocketMode=0600 closes it"};
  ASSIGN_OR_RETURN(const uid_t caller, user_behind(connection));
  if (caller != 0 && caller != file.st_uid)
    return Error{ErrorKind::denied, "user " + std::to_string(caller) + " is connected, which is not the supervisor's"};
  return done();
}

std::map<std::string, OwnedFd> take_unit_listeners() {
  std::map<std::string, OwnedFd> listeners;
  const std::uint64_t count = descriptors_given();
  const std::string list = variable("LISTEN_FDNAMES");
  const auto names = split(list, ':');
  for (std::uint64_t i = 0; i < count; ++i) {
    OwnedFd socket(first_descriptor + static_cast<int>(i));
    ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC);
    const int flags = ::fcntl(socket.get(), F_GETFL);
    ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK);  // as those that the supervisor makes
    if (i < names.size()) listeners[std::string(names[i])] = std::move(socket);
  }
  ::unsetenv("LISTEN_FDS");  // NOLINT(concurrency-mt-unsafe): before there are threads
  return listeners;
}

}  // namespace mailhold::ipc
