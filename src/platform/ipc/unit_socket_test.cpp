#include "platform/ipc/unit_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "corpora.h"

namespace mailhold::ipc {
namespace {

class UnitSocket : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("unit_socket." + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    path_ = folder_ / "keyd.sock";
    listener_ = OwnedFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_un address = address_of(path_);
    ASSERT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listener_.get(), 1), 0);
    ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
  }

  // What the program gets when somebody has connected.
  OwnedFd accepted() {
    caller_ = OwnedFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_un address = address_of(path_);
    EXPECT_EQ(::connect(caller_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return OwnedFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }

  std::filesystem::path folder_;
  std::string path_;
  OwnedFd listener_;
  OwnedFd caller_;
};

TEST_F(UnitSocket, a_connection_of_its_owner_is_the_supervisors) {
  const OwnedFd connection = accepted();
  EXPECT_TRUE(check_unit_connection(connection.get()));
}

TEST_F(UnitSocket, a_socket_that_others_may_use_is_refused) {
  for (const mode_t mode : {0660U, 0606U, 0610U}) {
    const OwnedFd connection = accepted();
    ASSERT_EQ(::chmod(path_.c_str(), mode), 0);
    const Status checked = check_unit_connection(connection.get());
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().kind, ErrorKind::denied);
  }
}

TEST_F(UnitSocket, a_caller_that_is_neither_root_nor_the_owner_is_refused) {
  SKIP_UNLESS(::geteuid() == 0, "another user's connection takes root");
  ASSERT_EQ(::chmod(path_.c_str(), 0666), 0);
  ASSERT_EQ(::chmod(folder_.c_str(), 0755), 0);
  ASSERT_EQ(::seteuid(60999), 0);
  const OwnedFd connection = accepted();
  ASSERT_EQ(::seteuid(0), 0);
  ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
  const Status checked = check_unit_connection(connection.get());
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().detail.find("60999"), std::string::npos);
}

TEST_F(UnitSocket, a_pair_or_a_name_without_a_path_is_no_unit_connection) {
  const auto pair = Channel::socket_pair();
  EXPECT_EQ(check_unit_connection(pair->first.get()).error().kind, ErrorKind::denied);
}

TEST_F(UnitSocket, connects_to_what_root_holds_and_to_nothing_else) {
  const auto connected = connect_to_unit(path_);
  if (::geteuid() == 0) {
    EXPECT_TRUE(connected);
  } else {
    EXPECT_EQ(connected.error().kind, ErrorKind::denied);
  }
  EXPECT_EQ(connect_to_unit(path_ + ".missing").error().kind, ErrorKind::unavailable);
  EXPECT_EQ(connect_to_unit("/" + std::string(200, 'x')).error().kind, ErrorKind::invalid_input);
}

TEST_F(UnitSocket, this_process_was_given_nothing_by_systemd) {
  EXPECT_FALSE(is_started_by_unit());
  EXPECT_TRUE(take_unit_listeners().empty());
}

}  // namespace
}  // namespace mailhold::ipc
