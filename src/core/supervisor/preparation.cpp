#include "core/supervisor/preparation.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/text.h"

namespace mailhold::supervisor {
namespace {

constexpr int backlog = 1024;

Error failed(const std::string& what) { return {ErrorKind::unavailable, what + ": " + std::strerror(errno)}; }

Result<ipc::OwnedFd> listen_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Error{ErrorKind::invalid_input, path + " is too long for a socket"};
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  ::unlink(path.c_str());
  ipc::OwnedFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return failed(path);
  // Root and whoever the administrator adds to its group; the operations that matter carry a signature besides.
  if (::chmod(path.c_str(), 0660) != 0 || ::listen(socket.get(), backlog) != 0) return failed(path);
  return socket;
}

Result<ipc::OwnedFd> listen_internet(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  const auto port = colon == std::string::npos ? std::nullopt : to_number(std::string_view(address).substr(colon + 1));
  if (!port || *port > 65535)
    return Error{ErrorKind::invalid_input, address + " is not an address with a port, as in 127.0.0.1:25"};
  std::string host = address.substr(0, colon);
  sockaddr_in6 six{};
  sockaddr_in four{};
  sockaddr* where = reinterpret_cast<sockaddr*>(&four);
  socklen_t length = sizeof four;
  four.sin_family = AF_INET;
  four.sin_port = htons(static_cast<std::uint16_t>(*port));
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    six.sin6_family = AF_INET6;
    six.sin6_port = four.sin_port;
    where = reinterpret_cast<sockaddr*>(&six);
    length = sizeof six;
    if (::inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) != 1)
      return Error{ErrorKind::invalid_input, address + " is not an address"};
  } else if (::inet_pton(AF_INET, host.c_str(), &four.sin_addr) != 1) {
    return Error{ErrorKind::invalid_input, address + " is not an address"};
  }
  ipc::OwnedFd socket(::socket(where->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (::bind(socket.get(), where, length) != 0 || ::listen(socket.get(), backlog) != 0) return failed("listening on " + address);
  return socket;
}

// Nothing is written where all is right already: the file system may be mounted read-only, and its program can say better than
// anybody what that keeps it from doing.
Status give_folder(const std::string& path, uid_t user, gid_t group, mode_t mode) {
  struct stat now{};
  const bool is_right = ::lstat(path.c_str(), &now) == 0 && S_ISDIR(now.st_mode) && now.st_uid == user && now.st_gid == group &&
                        (now.st_mode & 07777) == mode;
  if (is_right) return done();
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return failed(path);
  if (::lchown(path.c_str(), user, group) != 0 || ::chmod(path.c_str(), mode) != 0) return failed(path);
  return done();
}

}  // namespace

Status make_folders(const Topology& topology, const std::string& data, std::int64_t users_first) {
  if (is_all_attached(topology)) return done();
  std::error_code error;
  std::filesystem::create_directories(data, error);
  if (error) return Error{ErrorKind::unavailable, data + ": " + error.message()};
  struct stat now{};
  const bool is_right = ::stat(data.c_str(), &now) == 0 && (now.st_mode & 07777) == 0711;
  if (!is_right && ::chmod(data.c_str(), 0711) != 0) return failed(data);
  for (const Folder& folder : topology.folders) {
    const Program* owner = program_of(topology, folder.owner);
    const Program* group = program_of(topology, folder.group.empty() ? folder.owner : folder.group);
    if (owner->attached) continue;
    RETURN_IF_ERROR(give_folder(data + "/" + folder.name, static_cast<uid_t>(users_first + owner->user),
                                static_cast<gid_t>(users_first + group->user), folder.mode));
  }
  return done();
}

Result<ipc::OwnedFd> listen_on(const std::string& address) {
  return address.starts_with('/') ? listen_unix(address) : listen_internet(address);
}

}  // namespace mailhold::supervisor
