#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "formats/imap/imap_command_filter.h"

// Whatever a worker says, in whatever pieces: the server sees the same, and outside of messages never a word of these.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold;
  using namespace mailhold::imap;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = data[0] % (bytes.size() + 1);
  ImapCommandFilter whole({Purpose::backup_read, {"INBOX"}, true}), parts({Purpose::backup_read, {"INBOX"}, true});
  const bool goes_on = static_cast<bool>(whole.receive(bytes));
  const bool parts_go_on = parts.receive(bytes.substr(0, cut)) && parts.receive(bytes.substr(cut));
  const std::string server = whole.take_for_server();
  if (goes_on != parts_go_on || (goes_on && server != parts.take_for_server())) std::abort();
  // A second filter reads what came out of the first as the same commands: nothing was framed in two ways.
  ImapCommandFilter again({Purpose::backup_read, {"INBOX"}, true});
  if (goes_on && (!again.receive(server) || again.refused() != 0 || again.take_for_server() != server)) std::abort();
  for (const std::string_view word : {" delete ", " expunge", " append ", " login ", " store "}) {
    for (const std::string_view line : split(server, '\n')) {
      const std::string lower = to_lower(line);
      const std::size_t space = lower.find(' ');
      if (space != std::string::npos && lower.compare(space, word.size(), word) == 0) std::abort();
    }
  }
  return 0;
}
