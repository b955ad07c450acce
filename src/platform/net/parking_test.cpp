#include "platform/net/parking.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace mailhold::net {
namespace {

using namespace std::chrono_literals;

TEST(Parking, tells_each_event_once_until_armed_again) {
  Parking parking = Parking::open().value();
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  ASSERT_TRUE(parking.add(pair[0], 7, Ready::to_read));
  EXPECT_FALSE(parking.wait(10ms));
  (void)!::write(pair[1], "x", 1);
  EXPECT_EQ(parking.wait(1s), 7u);
  EXPECT_FALSE(parking.wait(10ms));
  ASSERT_TRUE(parking.arm(pair[0], 8, Ready::to_read));
  EXPECT_EQ(parking.wait(1s), 8u);
  ASSERT_TRUE(parking.arm(pair[0], 9, Ready::to_write));
  EXPECT_EQ(parking.wait(1s), 9u);
  ::close(pair[0]);
  ::close(pair[1]);
}

TEST(Parking, stop_wakes_every_thread) {
  Parking parking = Parking::open().value();
  std::jthread one([&] { EXPECT_FALSE(parking.wait(10s)); });
  std::jthread two([&] { EXPECT_FALSE(parking.wait(10s)); });
  std::this_thread::sleep_for(20ms);
  const auto start = std::chrono::steady_clock::now();
  parking.stop();
  one.join();
  two.join();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 2s);
}

}  // namespace
}  // namespace mailhold::net
