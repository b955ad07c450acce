#include <cstdlib>

#include "base/utf8.h"
#include "formats/mime/parameters.h"
#include "formats/mime/readings.h"
#include "formats/mime/text.h"

using namespace mailhold;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  mime::Message message = mime::parse(bytes);
  for (const mime::Part& part : message.parts) {
    // All offsets stay within the message, and a child within its parent.
    if (part.body.end() > size || part.header.end() > size) std::abort();
    if (part.parent != mime::no_part) {
      const mime::Part& parent = message.parts[static_cast<std::size_t>(part.parent)];
      if (part.body.offset < parent.body.offset) std::abort();
    }
  }
  for (const mime::Field& field : message.fields) {
    if (field.whole.end() > size || field.value.end() > field.whole.end()) std::abort();
    const auto value = mime::parse_parameters(field.value.of(bytes));
    for (const auto& parameter : value.parameters) {
      if (parameter.place.end() > field.value.length) std::abort();
    }
    (void)mime::readings_of(value, "filename");
    if (!is_utf8(mime::decode_header_text(field.value.of(bytes)))) std::abort();
  }
  mime::visit_readings(bytes, message, {8u << 20}, [](const mime::Reading&) {});
  return 0;
}
