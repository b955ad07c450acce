#include <cstdint>
#include <cstdlib>

#include "formats/pop3/pop3_command_filter.h"
#include "formats/pop3/pop3_login.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  using namespace std::string_literals;
  return {"\0STAT\r\nUIDL\r\nTOP 1 0\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n"s, "\0+OK\r\nSubject: x\r\n\r\n..y\r\na.\r\n.\r\n+OK\r\n"s};
}

std::vector<std::string> fuzz_words() { return {"\r\n", "\n", ".\r\n", ".", "+OK\r\n", "-ERR\r\n", " ", "DELE 1\r\n"}; }

// A worker that may only read never has a message deleted; an answer ends in one place, however it arrives; no server is given
// a credential before TLS.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold;
  using namespace mailhold::pop3;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = data[0] % (bytes.size() + 1);
  Pop3CommandFilter filter(false);
  (void)filter.receive(bytes);
  while (filter.has_next()) {
    const auto next = filter.take_next();
    const char first = next.line.empty() ? 'D' : next.line[0];
    if (first == 'D' || first == 'd' || !next.line.ends_with("\r\n") ||
        (!next.is_ours() && next.line.find('\r') != next.line.size() - 2))
      std::abort();
  }
  Pop3AnswerScanner whole, parts;
  whole.expect(true);
  parts.expect(true);
  const auto all = whole.scan(bytes);
  const auto first = parts.scan(bytes.substr(0, cut));
  const auto second = first ? parts.scan(bytes.substr(*first)) : first;
  if (all && first && second && *all != *first + *second) std::abort();

  LoginSecrets secrets;
  secrets.choose = [](const std::vector<std::string>&) -> Result<LoginWay> { std::abort(); };
  secrets.credential = [](LoginWay) -> Result<SecretText> { std::abort(); };
  secrets.scram = [](int, std::string_view) -> Result<std::string> { std::abort(); };
  Pop3Login login(false, secrets);
  (void)login.receive(bytes);
  return 0;
}
