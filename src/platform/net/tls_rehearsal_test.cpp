#include "platform/net/tls_rehearsal.h"

#include <gtest/gtest.h>

#include "platform/crypto/prepare.h"
#include "platform/net/tls_client.h"

namespace mailhold::net {
namespace {

TEST(TlsRehearsal, a_process_has_a_session_with_itself_and_can_again) {
  crypto::prepare();
  for (int i = 0; i < 2; ++i) {
    const Status rehearsed = rehearse_tls();
    EXPECT_TRUE(rehearsed) << rehearsed.error().detail;
  }
}

}  // namespace
}  // namespace mailhold::net
