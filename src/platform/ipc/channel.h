// Channel: one end of a unix stream socket between two of our processes. It carries
// frames: bytes with up to eight file descriptors. Format: u32 length, u8 number of
// descriptors, the bytes; the descriptors ride on the first byte (SCM_RIGHTS).
//
// send() may be called by many threads; receive() by one at a time. A failure of either
// leaves the channel closed: a frame is never half taken.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"

namespace mailhold::ipc {

// A file descriptor that is closed with its owner.
class OwnedFd {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int descriptor) : descriptor_(descriptor) {}
  OwnedFd(OwnedFd&& other) noexcept : descriptor_(other.release()) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept;
  ~OwnedFd() { reset(); }
  int get() const { return descriptor_; }
  bool is_open() const { return descriptor_ >= 0; }
  int release() { return std::exchange(descriptor_, -1); }
  void reset();

 private:
  int descriptor_ = -1;
};

struct Frame {
  std::string bytes;
  std::vector<OwnedFd> fds;
};

class Channel {
 public:
  static constexpr std::size_t frame_bytes_max = 160U << 20;  // above the largest message and what scanning adds to it
  static constexpr std::size_t frame_fds_max = 8;
  // A frame of at most this size may carry a key or a password: our copies of it are wiped. What is larger is mail.
  static constexpr std::size_t secret_bytes_max = 16 * 1024;

  explicit Channel(OwnedFd socket);
  static Result<std::pair<OwnedFd, OwnedFd>> socket_pair();

  // The frame is in the kernel's hands when this returns; the descriptors stay the caller's. Head and body are one frame.
  Status send(std::string_view head, std::string_view body, std::span<const int> fds, const Deadline&);
  Status send(std::string_view bytes, std::span<const int> fds, const Deadline& deadline) {
    return send({}, bytes, fds, deadline);
  }
  Status send(std::string_view bytes, const Deadline& deadline) { return send(bytes, {}, deadline); }

  // The next frame; unavailable once the peer has closed.
  Result<Frame> receive(const Deadline&);

  // Ends every wait of both sides. The channel is of no use afterwards.
  void close();
  int descriptor() const { return socket_.get(); }

 private:
  Status send_all(std::string_view bytes, std::span<const int> fds, const Deadline&);
  Status receive_exactly(char* buffer, std::size_t count, std::vector<OwnedFd>& fds, const Deadline&);

  OwnedFd socket_;
  std::mutex sending_;  // keeps frames of several threads apart
};

}  // namespace mailhold::ipc
