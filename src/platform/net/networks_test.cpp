#include "platform/net/networks.h"

#include <gtest/gtest.h>

namespace mailhold::net {
namespace {

TEST(Networks, only_globally_reachable_addresses_are_public) {
  for (const char* ip :
       {"8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2a00:1450::1", "::ffff:8.8.8.8", "2002:808:808::1"}) {
    EXPECT_TRUE(is_public_address(ip)) << ip;
  }
  for (const char* ip : {"127.0.0.1",
                         "10.1.2.3",
                         "172.16.0.1",
                         "192.168.1.1",
                         "169.254.169.254",
                         "100.64.0.1",
                         "0.0.0.0",
                         "224.0.0.1",
                         "255.255.255.255",
                         "192.0.2.1",
                         "::1",
                         "::",
                         "fe80::1",
                         "fc00::1",
                         "ff02::1",
                         "2001:db8::1",
                         "::ffff:127.0.0.1",
                         "64:ff9b::7f00:1",
                         "2002:7f00:1::1",
                         "2001::1",
                         "",
                         "localhost",
                         "0177.0.0.1",
                         "2130706433",
                         "127.1",
                         "127.0.0.1 "}) {
    EXPECT_FALSE(is_public_address(ip)) << ip;
  }
}

TEST(Networks, a_listed_network_is_permitted_and_nothing_beside_it) {
  const Networks networks = *Networks::parse("127.0.0.0/8, 10.1.0.0/16 fd00::/9");
  for (const char* ip : {"127.9.9.9", "10.1.255.255", "fd12::1", "::ffff:127.0.0.1", "8.8.8.8"})
    EXPECT_TRUE(networks.permit(ip)) << ip;
  for (const char* ip : {"10.2.0.0", "fd80::1", "192.168.0.1", "nonsense"}) EXPECT_FALSE(networks.permit(ip)) << ip;
  EXPECT_FALSE(Networks().permit("127.0.0.1"));
  EXPECT_TRUE(Networks::parse("192.168.3.4")->contains("192.168.3.4"));
}

TEST(Networks, a_setting_that_is_no_network_is_refused) {
  for (const char* bad : {"10.0.0.0/33", "10.0.0/8", "example.com", "10.0.0.0/8/8", "10.0.0.0/x", "10.0.0.0/"}) {
    EXPECT_FALSE(Networks::parse(bad)) << bad;
  }
  EXPECT_TRUE(Networks::parse(""));
}

}  // namespace
}  // namespace mailhold::net
