#include <cstdint>

#include "formats/imap/folder_name.h"
#include "formats/imap/imap_reader.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  return {"* PREAUTH [CAPABILITY IMAP4rev1 QRESYNC] hello\r\n* LIST (\\Sent) \"/\" {4}\r\nSent\r\n",
          "* 12 FETCH (UID 41 FLAGS (\\Seen) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" MODSEQ (12) BODY[] {3}\r\na\r\n)\r\na1 "
          "OK done\r\n",
          "* LIST () \"\\\\\" \"a\\\"b\\\\c\\\"\"\r\n* LIST () \"/\" \"\\\"\\\\\"\r\n",
          "* VANISHED (EARLIER) 3:5,9\r\n* SEARCH 1 2\r\n* 3 EXISTS\r\n+ go\r\na2 NO [LIMIT] later\r\n"};
}

std::vector<std::string> fuzz_words() {
  return {"\r\n", "\n", "{1}\r\n", "~{3}\r\n", "* ", "LIST () \"", "FETCH (", "BODY[]", "UID ",
          "\"",   "\\", "(",       ")",        "[",  "]",          " NIL ",   "&AOk-",  "4294967295"};
}

// Any bytes a hostile server may send, in any pieces: no crash, the same responses however they were cut, no more than the
// limits.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold::imap;
  ReaderLimits limits;
  limits.line_bytes_max = 4096;
  limits.content_bytes_max = 2048;
  limits.literal_bytes_max = 256;
  limits.values_max = 512;
  limits.depth_max = 8;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  ImapReader whole(limits), pieces(limits);
  const bool whole_went_well = static_cast<bool>(whole.receive(all));
  bool pieces_went_well = true;
  for (std::string_view rest = all; !rest.empty() && pieces_went_well;) {
    const std::size_t chunk = std::min<std::size_t>(rest.size(), 1 + static_cast<unsigned char>(rest[0]) % 13);
    pieces_went_well = static_cast<bool>(pieces.receive(rest.substr(0, chunk)));
    rest.remove_prefix(chunk);
  }
  if (whole_went_well != pieces_went_well) __builtin_trap();
  for (;;) {
    const auto one = whole.next();
    const auto other = pieces.next();
    if (one.has_value() != other.has_value()) __builtin_trap();
    if (!one) break;
    if (one->kind != other->kind || one->tag != other->tag || one->message.content != other->message.content) __builtin_trap();
    if (one->message.content && one->message.content->size() > limits.content_bytes_max) __builtin_trap();
    if (one->kind == Response::Kind::list) {
      const auto name = from_modified_utf7(one->folder.name);
      if (name && to_modified_utf7(*name) != one->folder.name) __builtin_trap();
    }
    if (one->message.date && parse_internal_date(write_internal_date(*one->message.date)) != one->message.date) __builtin_trap();
  }
  return 0;
}
