// Heads of spool items and directory snapshots, whatever their bytes: what is read is written again as it was.
#include <cstdint>
#include <cstdlib>

#include "features/gateway/directory.h"
#include "features/gateway/envelope.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  using namespace mailhold::gateway;
  AcceptedMessage message;
  message.message = message.tenant = mailhold::Id::from_bytes("tenant--tenant--");
  message.client_ip = "192.0.2.1";
  message.helo = "mail.example";
  message.mail_from = "ann@a.example";
  message.rcpt_to = {"bob@b.example", "cid@b.example"};
  message.reasons = {{"virus", "Eicar"}};
  message.attachments = {{"a.pdf", "application/pdf", 10, std::string(64, 'a')}};
  message.layout = {{10, 20, true}, {40, 5, false}};
  Tenant tenant;
  tenant.id = message.tenant;
  tenant.name = "one";
  tenant.policy.blocked_types = {"exe"};
  tenant.domains = {{"one.test", false, {"ann", "bob"}}, {"two.test", true, {}}};
  return {write_accepted(message), write_directory({1, 1000, {tenant}})};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace mailhold::gateway;
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  if (const auto message = parse_accepted(input); message && write_accepted(*message) != input) std::abort();
  if (auto snapshot = parse_directory(input)) {
    if (write_directory(*snapshot) != input) std::abort();
    if (const auto directory = Directory::build(std::move(*snapshot))) (void)directory->find("ann", "one.test");
  }
  return 0;
}
