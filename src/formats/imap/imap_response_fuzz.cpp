#include <cstdint>
#include <cstdlib>

#include "formats/imap/imap_login.h"
#include "formats/imap/imap_response_scanner.h"

// Every byte of a server comes out once and in order, however it arrives; and no server is given a credential before TLS.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold;
  using namespace mailhold::imap;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = data[0] % (bytes.size() + 1);
  std::string out, kinds[2];
  for (std::size_t round = 0; round < 2; ++round) {
    ImapResponseScanner scanner;
    out.clear();
    for (const auto part : {bytes.substr(0, round * cut), bytes.substr(round * cut)}) {
      if (!scanner.receive(part)) return 0;
      while (const auto piece = scanner.next()) {
        out += piece->bytes;
        if (piece->kind != ResponsePiece::Kind::literal) kinds[round] += static_cast<char>('0' + static_cast<int>(piece->kind));
      }
    }
    if (!bytes.starts_with(out)) std::abort();
  }
  if (kinds[0] != kinds[1]) std::abort();

  LoginSecrets secrets;
  secrets.choose = [](const std::vector<std::string>&) -> Result<LoginWay> { std::abort(); };
  secrets.credential = [](LoginWay) -> Result<SecretText> { std::abort(); };
  secrets.scram = [](int, std::string_view) -> Result<std::string> { std::abort(); };
  ImapLogin login({false, "use"}, secrets);
  (void)login.receive(bytes);
  return 0;
}
