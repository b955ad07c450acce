#include <cstdint>

#include "features/gateway/queue/queue_item.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  mailhold::queue::QueueItem item;
  item.mail_from = "ann@a.example";
  item.recipients = {
      {.address = "bob@b.example", .status = "4.4.1", .diagnostic = "451 4.4.1 no answer", .remote = "mx.b.example"},
      {.address = "cid@b.example", .state = mailhold::queue::RecipientState::delivered}};
  return {mailhold::queue::write_item(item)};
}

// A row that was opened with the right key may still be damaged by a bug: it is refused, or written again the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mailhold::queue::QueueItem item;
  if (mailhold::queue::read_item({reinterpret_cast<const char*>(data), size}, item)) {
    mailhold::queue::QueueItem again;
    if (!mailhold::queue::read_item(mailhold::queue::write_item(item), again) || again.recipients != item.recipients)
      __builtin_trap();
    for (const auto& recipient : item.recipients) {
      if (mailhold::queue::name_of(recipient.state) == "unknown") __builtin_trap();
    }
  }
  return 0;
}
