// sandbox: a process gives up, for good, whatever its duty does not need: new privileges,
// core files, files outside its own folders (Landlock), and all system calls but a short
// list (seccomp). The network and the user id are taken away earlier, by the supervisor.
//
// Call enter() while the process has one thread: Landlock holds for that thread and those it starts.
// It first tries the profile in throw-away children, which attempt what must be refused;
// where one of them gets through, enter() fails and the program must not serve.
//
// Design: ../shared security design section 7; kernel documentation of Landlock and seccomp.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace mailhold::sandbox {

// What a program may do beyond reading, writing and waiting on descriptors it already has.
enum class Right : std::uint32_t {
  threads = 1 << 0,
  files = 1 << 1,         // open, create, rename, remove below the readable and writable folders
  accept = 1 << 2,        // accept connections on listening sockets it was given
  connect = 1 << 3,       // make internet sockets and connect them
  connect_unix = 1 << 4,  // make unix sockets and connect them
  fork = 1 << 5,          // copies of itself; never another program
  tighten = 1 << 6,       // put further layers on itself or its copies
  change_user = 1 << 7,   // give copies of itself other users; needs the capabilities for it as well
  run = 1 << 8,           // become one of the runnable programs, which opens its libraries below the readable folders
};

enum class Violation { kill, refuse };  // the process ends by SIGSYS, or the call fails with EPERM

struct Profile {
  std::string name;
  std::vector<Right> rights{};
  std::vector<std::string> readable{};  // files and folders with all below them
  std::vector<std::string> writable{};
  Violation violation = Violation::kill;
  std::uint64_t address_space_bytes_max = 0;  // 0: no limit
  std::uint64_t open_files_max = 1024;
  bool lock_memory = false;             // no page of it is swapped out; a loud line where the kernel refuses
  std::vector<std::string> runnable{};  // files; with Right::run
};

// unsupported: the kernel lacks a layer. bug: an attempt that must be refused was not.
Status enter(const Profile& profile);

// A profile ready to be tried and put on again and again: making the filter of system calls costs more than all the rest.
// Any thread; a forked process may use its copy.
struct CallFilter;
class PreparedProfile {
 public:
  static Result<PreparedProfile> make(Profile profile);
  // For the copies of a process that has entered `zygote`, and for its self-test after that: they keep its layers and give up
  // what is left between the two, which costs a small part of putting all layers on again. bug: `profile` is not the narrower
  // one, or reaches other files.
  static Result<PreparedProfile> make_for_copies(Profile profile, const Profile& zygote);
  Status self_test() const;  // the attempts alone, in throw-away children
  Status tighten() const;    // the layers alone: for the copies of a zygote that has made the self-test once
  PreparedProfile with_writable(std::vector<std::string> paths) const;  // the same but for the folders it may write

 private:
  PreparedProfile(Profile profile, std::shared_ptr<const CallFilter> calls, bool is_for_copies)
      : profile_(std::move(profile)), calls_(std::move(calls)), is_for_copies_(is_for_copies) {}
  Status must_be_refused(const char* what, bool (*attempt)()) const;
  Profile profile_;
  std::shared_ptr<const CallFilter> calls_;
  bool is_for_copies_ = false;
};

// No core of the caller, and none of its memory in a core of what it starts or becomes. For a program that has no jail;
// enter() does it as well.
void refuse_dumps();

// Keeps at most these capabilities (<linux/capability.h>), for good.
Status keep_capabilities(std::initializer_list<unsigned> kept);

// enter(), or a clear line and exit code 78.
void enter_or_exit(const Profile& profile);

}  // namespace mailhold::sandbox
