#include "platform/net/parking.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace mailhold::net {
namespace {

constexpr std::uint64_t bell_tag = UINT64_MAX;

Error system_error(const char* what) { return {ErrorKind::unavailable, std::string(what) + ": " + std::strerror(errno)}; }

Status control(int epoll, int operation, int socket, std::uint64_t tag, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  if (::epoll_ctl(epoll, operation, socket, &event) != 0) return system_error("epoll_ctl");
  return done();
}

std::uint32_t once(Ready ready) { return (ready == Ready::to_read ? EPOLLIN | EPOLLRDHUP : EPOLLOUT) | EPOLLONESHOT; }

}  // namespace

Result<Parking> Parking::open() {
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return system_error("epoll_create1");
  const int bell = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  Parking parking(epoll, bell);
  if (bell < 0) return system_error("eventfd");
  RETURN_IF_ERROR(control(epoll, EPOLL_CTL_ADD, bell, bell_tag, EPOLLIN));
  return parking;
}

Parking::Parking(Parking&& other) noexcept : epoll_(std::exchange(other.epoll_, -1)), bell_(std::exchange(other.bell_, -1)) {}

Parking::~Parking() {
  if (epoll_ >= 0) ::close(epoll_);
  if (bell_ >= 0) ::close(bell_);
}

Status Parking::add(int socket, std::uint64_t tag, Ready ready) {
  return control(epoll_, EPOLL_CTL_ADD, socket, tag, once(ready));
}
Status Parking::arm(int socket, std::uint64_t tag, Ready ready) {
  return control(epoll_, EPOLL_CTL_MOD, socket, tag, once(ready));
}

std::optional<std::uint64_t> Parking::wait(std::chrono::milliseconds limit) {
  epoll_event event{};
  const int count = ::epoll_wait(epoll_, &event, 1, static_cast<int>(limit.count()));
  const std::uint64_t tag = event.data.u64;  // a copy: epoll_event is packed, and no reference may bind to its fields
  if (count != 1 || tag == bell_tag) return std::nullopt;
  return tag;
}

void Parking::stop() {
  const std::uint64_t one = 1;
  (void)!::write(bell_, &one, sizeof one);
}

}  // namespace mailhold::net
