#include "platform/ipc/channel.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "base/secret_text.h"
#include "platform/net/wait.h"

namespace mailhold::ipc {
namespace {

constexpr std::size_t header_bytes = 5;
constexpr std::size_t control_bytes = CMSG_SPACE(sizeof(int) * Channel::frame_fds_max);

bool must_wait() { return errno == EAGAIN || errno == EWOULDBLOCK; }
Error socket_error() { return {ErrorKind::unavailable, std::string("channel: ") + std::strerror(errno)}; }
Error peer_gone() { return {ErrorKind::unavailable, "channel: the peer has closed"}; }

// Descriptors that arrive are ours at once, so that a failing receive leaks none.
void collect_descriptors(msghdr& message, std::vector<OwnedFd>& fds) {
  for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr; control = CMSG_NXTHDR(&message, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(control) + i * sizeof(int), sizeof(int));
      fds.emplace_back(descriptor);
    }
  }
}

}  // namespace

OwnedFd& OwnedFd::operator=(OwnedFd&& other) noexcept {
  if (this != &other) {
    reset();
    descriptor_ = other.release();
  }
  return *this;
}

void OwnedFd::reset() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

Channel::Channel(OwnedFd socket) : socket_(std::move(socket)) {
  const int flags = ::fcntl(socket_.get(), F_GETFL);
  if (flags >= 0) ::fcntl(socket_.get(), F_SETFL, flags | O_NONBLOCK);
}

Result<std::pair<OwnedFd, OwnedFd>> Channel::socket_pair() {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) return socket_error();
  return std::pair(OwnedFd(pair[0]), OwnedFd(pair[1]));
}

Status Channel::send(std::string_view head, std::string_view body, std::span<const int> fds, const Deadline& deadline) {
  const std::size_t size = head.size() + body.size();
  if (size > frame_bytes_max) return Error{ErrorKind::limit_exceeded, "channel: frame too large to send"};
  if (fds.size() > frame_fds_max) return Error{ErrorKind::limit_exceeded, "channel: too many descriptors"};
  ByteWriter header;
  header.u32(static_cast<std::uint32_t>(size)).u8(static_cast<std::uint8_t>(fds.size())).raw(head);
  const std::lock_guard lock(sending_);
  // Small frames go out in one call; large ones are not copied.
  Status sent = done();
  if (size <= secret_bytes_max) {
    sent = send_all(SecretText::joined({header.view(), body}).reveal(), fds, deadline);
  } else {
    sent = send_all(header.view(), fds, deadline);
    if (sent) sent = send_all(body, {}, deadline);
  }
  if (!sent) close();  // the stream may stand in the middle of a frame
  return sent;
}

Status Channel::send_all(std::string_view bytes, std::span<const int> fds, const Deadline& deadline) {
  while (!bytes.empty()) {
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, control_bytes> control{};
    if (!fds.empty()) {
      message.msg_control = control.data();
      message.msg_controllen = CMSG_SPACE(fds.size_bytes());
      cmsghdr* rights = CMSG_FIRSTHDR(&message);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(fds.size_bytes());
      std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
    }
    const ssize_t count = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
      fds = {};
    } else if (must_wait()) {
      RETURN_IF_ERROR(net::wait_until(socket_.get(), net::Ready::to_write, deadline));
    } else if (errno != EINTR) {
      return socket_error();
    }
  }
  return done();
}

Result<Frame> Channel::receive(const Deadline& deadline) {
  Frame frame;
  std::array<char, header_bytes> header{};
  // Waiting for a frame to begin may time out and be tried again; once begun it is all or nothing.
  if (auto began = net::wait_until(socket_.get(), net::Ready::to_read, deadline); !began) return began.error();
  const auto all_or_nothing = [&](Status status) {
    if (!status) close();
    return status;
  };
  RETURN_IF_ERROR(all_or_nothing(receive_exactly(header.data(), header.size(), frame.fds, deadline)));
  ByteReader reader({header.data(), header.size()});
  const std::size_t length = reader.u32();
  const std::size_t fds = reader.u8();
  if (length > frame_bytes_max) {
    close();
    return Error{ErrorKind::limit_exceeded, "channel: frame too large"};
  }
  frame.bytes.resize(length);
  RETURN_IF_ERROR(all_or_nothing(receive_exactly(frame.bytes.data(), length, frame.fds, deadline)));
  if (frame.fds.size() != fds) {
    close();
    return Error{ErrorKind::corrupt, "channel: descriptors are missing"};
  }
  return frame;
}

Status Channel::receive_exactly(char* buffer, std::size_t count, std::vector<OwnedFd>& fds, const Deadline& deadline) {
  while (count > 0) {
    iovec part{buffer, count};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, control_bytes> control{};
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
    if (got > 0) {
      collect_descriptors(message, fds);
      if (fds.size() > frame_fds_max) return Error{ErrorKind::limit_exceeded, "channel: too many descriptors"};
      buffer += got;
      count -= static_cast<std::size_t>(got);
    } else if (got == 0) {
      return peer_gone();
    } else if (must_wait()) {
      RETURN_IF_ERROR(net::wait_until(socket_.get(), net::Ready::to_read, deadline));
    } else if (errno != EINTR) {
      return socket_error();
    }
  }
  return done();
}

void Channel::close() { ::shutdown(socket_.get(), SHUT_RDWR); }

}  // namespace mailhold::ipc
