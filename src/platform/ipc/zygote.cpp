#include "platform/ipc/zygote.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "platform/net/wait.h"

namespace mailhold::ipc {
namespace {

using namespace std::chrono_literals;

constexpr int control_descriptor = 3;
constexpr auto reap_interval = 100ms;  // while no copy is asked for
constexpr auto request_time_max = 5s;
constexpr int exit_unprepared = 71;
constexpr int room_bytes = 1 << 20;             // for what a copy allocates
constexpr std::size_t room_used = 256U << 10U;  // by most
constexpr std::size_t taken_max = 16U << 20U;   // of what is free elsewhere
constexpr std::uintptr_t page_bytes = 4096;

constexpr std::uintptr_t huge_page_bytes = 2U << 20U;

// What lies at a place, read by the kernel: it is a range of pages, not one object of the language, and a build that watches the
// borders of objects would object.
bool read_pages(std::uintptr_t place, void* into) {
  const iovec to{into, huge_page_bytes};
  const iovec from{reinterpret_cast<void*>(place), huge_page_bytes};
  return ::process_vm_readv(::getpid(), &to, 1, &from, 1, 0) == static_cast<ssize_t>(huge_page_bytes);
}

// The same bytes at the same place, on one page. Whoever runs there meanwhile does not notice.
void put_on_huge_page(std::uintptr_t place) {
  void* space = ::mmap(nullptr, 2 * huge_page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (space == MAP_FAILED) return;
  const auto begin = reinterpret_cast<std::uintptr_t>(space);
  const std::uintptr_t aligned = (begin + huge_page_bytes - 1) & ~(huge_page_bytes - 1);
  void* page = reinterpret_cast<void*>(aligned);
  if (::madvise(page, huge_page_bytes, MADV_HUGEPAGE) == 0 && read_pages(place, page) &&
      ::mprotect(page, huge_page_bytes, PROT_READ | PROT_EXEC) == 0) {
    (void)::mremap(page, huge_page_bytes, huge_page_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, reinterpret_cast<void*>(place));
  }
  // What is left on both sides, and the page itself where it was not moved.
  ::munmap(space, 2 * huge_page_bytes);
}

void put_on_huge_pages(std::uintptr_t begin, std::uintptr_t end) {
  for (begin = (begin + huge_page_bytes - 1) & ~(huge_page_bytes - 1); begin + huge_page_bytes <= end; begin += huge_page_bytes)
    put_on_huge_page(begin);
}

// Of one program or library: the parts that are not written to and follow each other without a gap.
int put_object_on_huge_pages(dl_phdr_info* object, std::size_t, void*) {
  std::uintptr_t begin = 0, end = 0;
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& part = object->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_W) != 0) continue;
    const std::uintptr_t first = (object->dlpi_addr + part.p_vaddr) & ~(page_bytes - 1);
    if (first != end) {
      put_on_huge_pages(begin, end);
      begin = first;
    }
    end = (object->dlpi_addr + part.p_vaddr + part.p_filesz + page_bytes - 1) & ~(page_bytes - 1);
  }
  put_on_huge_pages(begin, end);
  return 0;
}

// Where the room at the end of the heap begins.
std::uintptr_t begin_of_room() { return reinterpret_cast<std::uintptr_t>(::sbrk(0)) - ::mallinfo2().keepcost; }

// Takes, for good, what is free between the pieces that the zygote keeps. A copy that allocated there would write to pages that
// it shares with the zygote, each of which the kernel must copy first; at the end of the heap it finds pages that nobody has
// touched.
void leave_room_at_the_end_of_the_heap() {
  ::mallopt(M_TRIM_THRESHOLD, 2 * room_bytes);
  ::mallopt(M_MMAP_THRESHOLD, 2 * room_bytes);
  void* volatile whole = ::malloc(room_bytes);  // volatile: the compiler may leave out what nobody uses
  ::free(whole);
  std::vector<std::size_t> sizes;
  for (std::size_t size = 64U << 10U; size > 1032; size /= 2) sizes.push_back(size);
  for (std::size_t size = 1032; size >= 24; size -= 16) sizes.push_back(size);  // each that the C library keeps a list of
  std::size_t taken = 0;  // an allocator that has no such end would never come to it
  for (const std::size_t size : sizes) {
    const std::uintptr_t room = begin_of_room();
    for (void* volatile piece = ::malloc(size);
         piece != nullptr && reinterpret_cast<std::uintptr_t>(piece) < room && taken < taken_max; taken += size)
      piece = ::malloc(size);
  }
}

// The pages that it will need in one call, where the kernel can: since Linux 5.14.
void take_room() {
#ifdef MADV_POPULATE_WRITE
  const std::uintptr_t begin = (begin_of_room() + page_bytes - 1) & ~(page_bytes - 1);
  (void)::madvise(reinterpret_cast<void*>(begin), room_used, MADV_POPULATE_WRITE);
#endif
}

void reap() {
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

[[noreturn]] void become(int control, uid_t user, pid_t zygote, const std::function<int()>& be_daemon) {
  if (::dup3(control, control_descriptor, 0) < 0) ::_exit(exit_unprepared);
  if (::syscall(SYS_close_range, control_descriptor + 1, ~0U, 0) != 0) ::_exit(exit_unprepared);
  if (::syscall(SYS_setgroups, 0, nullptr) != 0 || ::syscall(SYS_setresgid, user, user, user) != 0 ||
      ::syscall(SYS_setresuid, user, user, user) != 0) {
    ::_exit(exit_unprepared);
  }
  take_room();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a change of the user takes it back, so after that
  if (::getppid() != zygote) ::_exit(exit_unprepared);
  ::_exit(be_daemon());
}

// Whether the zygote goes on.
bool answer(Channel& supervisor, Frame request, const std::function<int()>& be_daemon) {
  ByteReader reader(request.bytes);
  const uid_t user = reader.u32();
  if (!reader.finish() || request.fds.size() != 1 || user == 0) return false;
  const pid_t zygote = ::getpid();
  const pid_t copy = ::fork();
  if (copy == 0) become(request.fds.front().get(), user, zygote, be_daemon);
  return bool(supervisor.send(ByteWriter().u32(copy < 0 ? 0 : static_cast<std::uint32_t>(copy)).view(),
                              Deadline::after(request_time_max)));
}

}  // namespace

void put_code_on_huge_pages() { ::dl_iterate_phdr(put_object_on_huge_pages, nullptr); }

void serve_copies(const std::function<int()>& be_daemon) {
  Channel supervisor{OwnedFd(control_descriptor)};
  leave_room_at_the_end_of_the_heap();
  for (;;) {
    const Status asked = net::wait_until(supervisor.descriptor(), net::Ready::to_read, Deadline::after(reap_interval));
    if (!asked && asked.error().kind != ErrorKind::timed_out) return;
    reap();  // the supervisor has opened a pidfd of all that it asks no more about
    if (!asked) continue;
    Result<Frame> request = supervisor.receive(Deadline::after(request_time_max));
    if (!request || !answer(supervisor, std::move(*request), be_daemon)) return;
  }
}

Result<Copy> make_copy(Channel& zygote, uid_t user, int control, const Deadline& deadline) {
  const int descriptors[] = {control};
  RETURN_IF_ERROR(zygote.send(ByteWriter().u32(user).view(), descriptors, deadline));
  ASSIGN_OR_RETURN(const Frame reply, zygote.receive(deadline));
  ByteReader reader(reply.bytes);
  const auto pid = static_cast<pid_t>(reader.u32());
  if (!reader.finish() || pid < 0) return Error{ErrorKind::corrupt, "not an answer of a zygote"};
  if (pid == 0) return Error{ErrorKind::limit_exceeded, "the zygote could not fork"};
  const auto process = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (process < 0) return Error{ErrorKind::unavailable, std::string("pidfd_open: ") + std::strerror(errno)};
  return Copy{pid, OwnedFd(process)};
}

}  // namespace mailhold::ipc
