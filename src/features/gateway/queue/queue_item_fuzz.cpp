#include <cstdint>

#include "features/gateway/queue/queue_item.h"

// A row that was opened with the right key may still be damaged by a bug: it is refused, or written again the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mailhold::queue::QueueItem item;
  if (mailhold::queue::read_item({reinterpret_cast<const char*>(data), size}, item)) {
    mailhold::queue::QueueItem again;
    if (!mailhold::queue::read_item(mailhold::queue::write_item(item), again) || again.recipients != item.recipients)
      __builtin_trap();
  }
  return 0;
}
