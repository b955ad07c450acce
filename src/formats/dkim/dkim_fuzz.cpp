// Input: a key record, a NUL byte, then a message; or, if it begins with "!", the tags of a signature that is otherwise complete.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "formats/dkim/dkim.h"
#include "formats/dkim/key_record.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  return {std::string("v=DKIM1; k=ed25519; p=") + std::string(43, 'A') + "=" + '\0' + "!h=from; c=relaxed/relaxed",
          std::string("v=DKIM1; k=rsa; h=sha256; s=email; t=y:s; p=AAAA") + '\0' + "!i=@example.com; l=5; t=1; x=2; q=dns/txt"};
}

std::vector<std::string> fuzz_words() { return {";", "=", ":", "p=", "h=", "\r\n", " ", "\t", "DKIM-Signature:", "!"}; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\0'), input.size());
  const std::string record(input.substr(0, end));
  std::string message(input.substr(std::min(end + 1, input.size())));
  if (message.starts_with('!')) {
    message =
        "DKIM-Signature: v=1; a=ed25519-sha256; d=example.com; s=sel; h=from:subject; "
        "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA; " +
        message.substr(1) + "\r\nFrom: a@example.com\r\n\r\n";
  }
  if (const auto key = dkim::parse_key_record(record); key && key->public_key.empty()) std::abort();
  const dkim::MessageView view = dkim::split_message(message);
  const auto questions = dkim::key_questions(view);
  const dns::Lookup lookup = [&](const dns::Question& question) -> dns::Answer {
    if (std::find(questions.begin(), questions.end(), question) == questions.end())
      std::abort();  // all questions are known up front
    return {.status = dns::AnswerStatus::ok, .records = {{record, 0}}};
  };
  for (const auto& result : dkim::verify(view, lookup, {.now = std::chrono::sys_seconds(std::chrono::seconds(1))})) {
    if (result.outcome == dkim::Outcome::none) std::abort();
    if ((result.outcome == dkim::Outcome::pass) != result.problem.empty()) std::abort();
  }
  return 0;
}
