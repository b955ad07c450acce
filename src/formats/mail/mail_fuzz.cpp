#include <cstdlib>

#include "formats/mail/addresses.h"
#include "formats/mail/message_links.h"
#include "fuzz_seeds.h"

using namespace mailhold;

std::vector<std::string> fuzz_seeds() {
  return {"Content-Transfer-Encoding: quoted-printable\r\n\r\nhttp://a.example/=\r\nb c http://d.example/\r\n",
          "From: \"Ann, A.\" (x) <@r.example:ann@a.example>, group: b@b.example;\r\nContent-Type: text/html\r\n\r\n<a "
          "href=\"http://a.example/\">x</a>",
          "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nhttp://a.example/\r\n--b\r\nContent-Type: "
          "text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGEgaHJlZj0iaHR0cDovL2EuZXhhbXBsZS8iPng8L2E+\r\n--b--\r\n"};
}

std::vector<std::string> fuzz_words() {
  return {"\r\n", "=\r\n", "\"", "\\", "<", ">", "(", ")", ",", ":", "@", "http://", "=3D", "--b", "<a href="};
}

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
