#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "formats/imap/imap_command_filter.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  using namespace std::string_literals;
  return {
      "\0a1 CAPABILITY\r\na2 SELECT \"INBOX\"\r\na3 UID FETCH 1:* (FLAGS BODY.PEEK[])\r\na4 LOGOUT\r\n"s,
      "\0a1 EXAMINE {5}\r\nINBOX\r\na2 IDLE\r\nDONE\r\na3 APPEND INBOX {3+}\r\nabc\r\n"s,
      "\0a1 CREATE \"Mailhold proof 0123456789abcdef0123456789abcdef\"\r\na2 DELETE \"Mailhold proof 0123456789abcdef0123456789abcdef\"\r\n"s};
}

std::vector<std::string> fuzz_words() {
  return {"\r\n", "\n", "\"", "\\", "{1}\r\n", "{1+}\r\n", "(", ")", "[", "]", " ", "DELETE", "STORE"};
}

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
  // A proof names its own folder in what changes anything, or nothing passes.
  ImapCommandFilter proof({Purpose::backup_prove, {"*"}, true});
  if (!proof.receive(bytes)) return 0;
  const std::string of_proof = proof.take_for_server();
  if (to_lower(of_proof).find(" append ") != std::string::npos) return 0;  // a message may say anything
  for (const std::string_view line : split(of_proof, '\n')) {
    const std::string lower = to_lower(line);
    const std::size_t space = lower.find(' ');
    for (const std::string_view word : {" delete ", " create ", " select ", " examine "}) {
      if (space != std::string::npos && lower.compare(space, word.size(), word) == 0 &&
          line.find("Mailhold proof ") == std::string_view::npos)
        std::abort();
    }
  }
  return 0;
}
