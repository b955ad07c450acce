#include <cstdint>

#include "formats/smtp/smtp_client_dialogue.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  return {
      "\4"
      "220 mx.example ESMTP\r\n250-mx.example\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 8BITMIME\r\n250 2.1.0 ok\r\n250 2.1.5 "
      "ok\r\n250 ok\r\n354 go\r\n250 2.0.0 kept\r\n",
      "\2"
      "220 mx.example ESMTP\r\n250-mx.example\r\n250 STARTTLS\r\n220 go\r\n250 AUTH PLAIN\r\n235 2.7.0 ok\r\n",
      "\4"
      "220 mx.example ESMTP\r\n250-mx.example\r\n250 STARTTLS\r\n220 go\r\n250 AUTH XOAUTH2\r\n334 \r\n334 e30=\r\n535 "
      "5.7.8 no\r\n"};
}

std::vector<std::string> fuzz_words() {
  return {"\r\n", "\n", "250 ",     "250-",       "354 ",       "421 ",         "2.1.0",
          " ",    "-",  "STARTTLS", "PIPELINING", "AUTH PLAIN", "AUTH XOAUTH2", "334 "};
}

// Any bytes a hostile server may send: no crash, no endless sending, no delivery before the message was out.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold::smtp;
  if (size < 2) return 0;
  ClientSettings settings{.our_name = "us.example",
                          .tls = data[0] & 1 ? TlsRule::opportunistic : TlsRule::none,
                          .tls_is_on = false,
                          .authenticate = {}};
  if (data[0] & 2) {
    settings.tls = TlsRule::required;
    settings.authenticate = [] { return mailhold::Result<mailhold::SecretText>(mailhold::SecretText::copy_of("AGEAYg==")); };
  }
  if (data[0] & 4) {
    settings.tls = TlsRule::required;
    settings.xoauth2 = [] { return mailhold::Result<mailhold::SecretText>(mailhold::SecretText::copy_of("dG9rZW4=")); };
  }
  ClientDialogue dialogue(settings);
  const ClientEnvelope envelope{"ann@a.example", {"bob@b.example", "cid@b.example"}, "id"};
  const std::string_view body = ".\r\nhello\n.\r\n";
  bool is_out = false;
  std::string_view rest(reinterpret_cast<const char*>(data + 1), size - 1);
  while (!rest.empty()) {
    const std::size_t chunk = std::min<std::size_t>(rest.size(), 1 + static_cast<unsigned char>(rest[0]) % 61);
    const bool went_well = static_cast<bool>(dialogue.receive(rest.substr(0, chunk)));
    rest.remove_prefix(chunk);
    if (const auto outcome = dialogue.next_outcome()) {
      if (outcome->recipients.size() != 2) __builtin_trap();
      for (const auto& recipient : outcome->recipients) {
        if (recipient.result == RecipientResult::delivered && !is_out) __builtin_trap();
      }
    }
    if (!went_well) break;
    if (dialogue.wants() == ClientDialogue::Wants::tls) dialogue.tls_started();
    if (dialogue.wants() == ClientDialogue::Wants::message) {
      is_out = false;
      if (!dialogue.submit(envelope, body)) __builtin_trap();
    }
    int chunks = 0;
    while (const auto bytes = dialogue.next_to_send()) {
      if ((bytes->starts_with("AUTH") || bytes->starts_with("dG9r")) && !dialogue.tls_is_on()) __builtin_trap();
      if (++chunks > 16) __builtin_trap();
    }
    is_out = is_out || dialogue.message_is_out();
  }
  return 0;
}
