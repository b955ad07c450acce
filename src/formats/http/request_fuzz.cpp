#include <cstdlib>

#include "formats/http/request.h"

using mailhold::http::RequestParser;

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
