#include <cstdlib>

#include "formats/mail/addresses.h"
#include "formats/mail/message_links.h"

using namespace mailhold;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)mail::addresses_of(bytes);
  const mime::Message message = mime::parse(bytes);
  const mail::MessageLinks links = mail::find_links(bytes, message);
  const std::vector<std::string> replacements(links.urls.size(), "https://links.example.net/token");
  const auto splices = mail::replace_links(bytes, message, links, replacements, 1u << 20);
  if (!mail::apply_splices(bytes, splices)) std::abort();
  return 0;
}
