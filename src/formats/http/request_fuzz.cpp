#include <cstdlib>

#include "formats/http/request.h"
#include "fuzz_seeds.h"

using mailhold::http::RequestParser;

std::vector<std::string> fuzz_seeds() {
  return {"GET /www.example.com/token HTTP/1.1\r\nHost: links.example\r\nAccept-Language: en\r\n\r\n",
          "POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nproof"};
}

std::vector<std::string> fuzz_words() {
  return {"\r\n", "\r\n\r\n", " ", ":", "Content-Length: 1", "Transfer-Encoding: chunked", "Host: a", "HTTP/1.0"};
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  RequestParser whole;
  const RequestParser::State at_once = whole.feed(bytes);
  RequestParser pieces;
  for (std::size_t i = 0; i < size; ++i) pieces.feed(bytes.substr(i, 1));
  // However the bytes arrive, the answer is the same.
  if (at_once == RequestParser::State::complete) {
    if (pieces.feed({}) != at_once || pieces.request().body != whole.request().body) std::abort();
    if (pieces.request().target != whole.request().target || pieces.request().fields != whole.request().fields) std::abort();
  }
  return 0;
}
