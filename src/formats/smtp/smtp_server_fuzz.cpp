// Whatever a client sends, in whatever pieces: the dialogue ends, keeps its limits, and what
// it accepts as one message can be sent on as exactly one message.
#include <cstdint>
#include <cstdlib>

#include "formats/smtp/smtp_server_dialogue.h"
#include "fuzz_seeds.h"

namespace {

using namespace mailhold::smtp;

class AcceptsAll final : public SessionRules {
 public:
  std::optional<Reply> refuse_mail(const MailParameters&) override { return std::nullopt; }
  std::optional<Reply> refuse_recipient(const Address& recipient) override {
    if (!parse_mailbox(recipient.text()) || !(*parse_mailbox(recipient.text()) == recipient)) std::abort();
    return std::nullopt;
  }
  void forget_transaction() override {}
};

void check(const std::string& content) {
  for (std::size_t i = 0; i < content.size(); ++i) {
    const bool whole = content[i] == '\r' ? i + 1 < content.size() && content[i + 1] == '\n'
                                          : content[i] != '\n' || (i > 0 && content[i - 1] == '\r');
    if (!whole || content[i] == '\0') std::abort();
  }
}

}  // namespace
std::vector<std::string> fuzz_seeds() {
  return {
      "\1\xff"
      "EHLO a.example\r\nMAIL FROM:<ann@a.example> SIZE=10 BODY=8BITMIME\r\nRCPT TO:<@r.example:\"b "
      "c\"@[192.0.2.1]>\r\nDATA\r\nSubject: x\r\n\r\n..y\r\n.\r\nQUIT\r\n",
      "\2\7HELO a\r\nmail from: ann@a.example\r\nrcpt "
      "to:<bob@[IPv6:2001:db8::1]>\r\ndata\r\nx\ny\r\n.\r\nRSET\r\nNOOP\r\nSTARTTLS\r\n"};
}

std::vector<std::string> fuzz_words() {
  return {"\r\n", "\n",       "\r",      std::string(1, char(0)), ".", "\r\n.\r\n", "\"", "\\", "<", ">", "@", "[",
          "]",    "DATA\r\n", "RSET\r\n"};
}

// namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 2) return 0;
  ServerSettings settings;
  settings.host_name = "mx.test";
  settings.offer_starttls = (bytes[0] & 1) != 0;
  settings.bare_newlines = (bytes[0] & 2) != 0 ? BareNewlines::normalise : BareNewlines::reject;
  settings.message_bytes_max = 4096;
  const std::size_t cut = 1u + bytes[1];
  AcceptsAll rules;
  ServerDialogue dialogue(settings, rules);
  dialogue.greet();
  std::string input(reinterpret_cast<const char*>(bytes) + 2, size - 2);
  for (std::size_t at = 0; at < input.size(); at += cut) {
    std::string_view piece = std::string_view(input).substr(at, cut);
    while (!piece.empty()) {
      switch (dialogue.run(piece)) {
        case ServerDialogue::Event::message: {
          const ReceivedMessage message = dialogue.take_message();
          if (message.recipients.empty() || message.content.size() > settings.message_bytes_max) std::abort();
          check(message.content);
          dialogue.finish_message(reply(250, "2.0.0", "kept"));
          break;
        }
        case ServerDialogue::Event::start_tls: dialogue.tls_started(); break;
        case ServerDialogue::Event::close: return 0;
        case ServerDialogue::Event::need_input: break;
      }
    }
    ReplyReader reader;
    if (!reader.receive(dialogue.output())) std::abort();
    dialogue.output().clear();
  }
  return 0;
}
