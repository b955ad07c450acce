#include <cstdlib>

#include "features/scanning/extract_messages.h"
#include "fuzz_seeds.h"

using namespace mailhold;

namespace {
class Echo final : public scanning::DocumentPrograms {
  scanning::DocumentText read_pdf(std::string_view document, std::size_t bytes_max) override {
    return {std::string(document.substr(0, bytes_max)), true};
  }
};
}  // namespace

std::vector<std::string> fuzz_seeds() {
  scanning::ExtractedText text{
      true, true,      "Ann <ann@a.example>\n", "bob@b.example\n", "Bericht für März\n", "body\n", "a.txt\n", "text\n", 1,
      2,    86'400'000};
  return {scanning::encode_extracted(text), scanning::encode_extracted({}),
          scanning::encode_extract(
              {Id::random(), scanning::TextForm::message, "Subject: x\r\n\r\ny\r\n", std::chrono::milliseconds(100)}),
          "Subject: x\r\nContent-Type: application/pdf\r\n\r\n%PDF-1.4 y\r\n"};
}

// What workerd reads of a worker, what a worker reads of workerd, and the text of any message at all.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view frame(reinterpret_cast<const char*>(data), size);
  if (const auto text = scanning::parse_extracted(frame)) {
    if (scanning::encode_extracted(*text) != frame) std::abort();
    for (const char c : text->body + text->subject + text->senders) {
      if (static_cast<unsigned char>(c) < 0x20 && c != '\n') std::abort();
    }
  }
  (void)scanning::parse_extract(frame);
  // Whatever is extracted is what the other side takes.
  Echo programs;
  if (!scanning::parse_extracted(scanning::encode_extracted(scanning::extract_text(frame, &programs)))) std::abort();
  return 0;
}
