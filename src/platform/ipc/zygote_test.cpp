#include "platform/ipc/zygote.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <set>

#include "base/bytes.h"
#include "corpora.h"
#include "platform/crypto/hash.h"
#include "platform/net/wait.h"

namespace mailhold::ipc {
namespace {

using namespace std::chrono_literals;

constexpr uid_t nobody = 65534;

Deadline soon() { return Deadline::after(10s); }

// What a copy is, told over its control channel; then it waits for a word or the end of the channel.
int tell_and_wait() {
  Channel control{OwnedFd(3)};
  std::set<int> open;
  DIR* folder = ::opendir("/proc/self/fd");
  for (const dirent* entry = ::readdir(folder); entry != nullptr; entry = ::readdir(folder)) {
    if (entry->d_name[0] != '.' && std::stoi(entry->d_name) != ::dirfd(folder)) open.insert(std::stoi(entry->d_name));
  }
  ::closedir(folder);
  const auto last = static_cast<std::uint32_t>(open.empty() ? 0 : *open.rbegin());
  (void)control.send(
      ByteWriter().u32(::getuid()).u32(::getgid()).u32(static_cast<std::uint32_t>(::getgroups(0, nullptr))).u32(last).view(),
      soon());
  return control.receive(soon()) ? 0 : 1;
}

class ZygoteTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIP_UNLESS(::geteuid() == 0, "copies change their user, which takes root");
    auto ends = Channel::socket_pair();
    ASSERT_TRUE(ends);
    pid_ = ::fork();
    if (pid_ == 0) {
      ends->first.reset();
      if (ends->second.get() != 3) ::dup2(ends->second.release(), 3);
      serve_copies(tell_and_wait);
      ::_exit(0);
    }
    zygote_ = std::make_unique<Channel>(std::move(ends->first));
  }
  void TearDown() override {
    zygote_.reset();
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
  }
  struct Started {
    Copy copy;
    std::unique_ptr<Channel> control;
  };
  Started start(uid_t user) {
    auto ends = Channel::socket_pair();
    auto copy = make_copy(*zygote_, user, ends->second.get(), soon());
    EXPECT_TRUE(copy) << copy.error().detail;
    return {std::move(*copy), std::make_unique<Channel>(std::move(ends->first))};
  }
  static bool has_ended(const Copy& copy, const Deadline& deadline) {
    return bool(net::wait_until(copy.process.get(), net::Ready::to_read, deadline));
  }

  pid_t pid_ = -1;
  std::unique_ptr<Channel> zygote_;
};

TEST_F(ZygoteTest, a_copy_has_its_user_and_its_channel_and_nothing_else) {
  const Started started = start(nobody);
  const auto told = started.control->receive(soon());
  ASSERT_TRUE(told);
  EXPECT_EQ(told->bytes, ByteWriter().u32(nobody).u32(nobody).u32(0).u32(3).view());
  EXPECT_FALSE(has_ended(started.copy, Deadline::after(0s)));
  ASSERT_TRUE(started.control->send("go", soon()));
  EXPECT_TRUE(has_ended(started.copy, soon()));
}

TEST_F(ZygoteTest, many_copies_live_at_once_and_end_with_the_zygote) {
  std::vector<Started> all;
  for (uid_t i = 0; i < 8; ++i) all.push_back(start(60000 + i));
  std::set<pid_t> processes;
  for (const Started& each : all) {
    ASSERT_TRUE(each.control->receive(soon()));
    processes.insert(each.copy.pid);
  }
  EXPECT_EQ(processes.size(), all.size());
  ::kill(pid_, SIGKILL);
  for (const Started& each : all) EXPECT_TRUE(has_ended(each.copy, soon()));
}

TEST_F(ZygoteTest, no_copy_is_made_for_root) {
  auto ends = Channel::socket_pair();
  EXPECT_FALSE(make_copy(*zygote_, 0, ends->second.get(), soon()));
}

TEST_F(ZygoteTest, one_that_does_not_answer_is_told_apart_from_one_that_cannot_fork) {
  ::kill(pid_, SIGSTOP);
  auto ends = Channel::socket_pair();
  const auto copy = make_copy(*zygote_, nobody, ends->second.get(), Deadline::after(50ms));
  ASSERT_FALSE(copy);
  EXPECT_EQ(copy.error().kind, ErrorKind::timed_out);
  ::kill(pid_, SIGKILL);
}

TEST(Zygote, code_on_huge_pages_runs_as_before_and_none_of_it_is_writable) {
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string before = crypto::sha256("the same");
    put_code_on_huge_pages();
    if (crypto::sha256("the same") != before) ::_exit(1);
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      if (line.find(" rwx") != std::string::npos) ::_exit(2);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(ZygoteTest, a_zygote_that_is_gone_is_an_error) {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
  auto ends = Channel::socket_pair();
  EXPECT_FALSE(make_copy(*zygote_, nobody, ends->second.get(), soon()));
}

}  // namespace
}  // namespace mailhold::ipc
