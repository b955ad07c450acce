// An office file of before 2007 of a stranger, and each stream that is read in one: texts stay within their limit.
#include <cstdlib>

#include "fakes/old_office_streams.h"
#include "features/scanning/documents/old_office_text.h"
#include "fuzz_seeds.h"

using namespace mailhold;

namespace {

constexpr std::size_t text_bytes_max = 100;

std::string workbook() {
  using namespace std::string_literals;
  const std::string place(6, '\0');
  return excel_record(0x809, little_endian_bytes(0x600, 2) + "\5\0"s) +
         excel_record(0xFC, little_endian_bytes(2, 4) + little_endian_bytes(2, 4) + little_endian_bytes(6, 2) + "\0cha"s) +
         excel_record(0x3C, "\1l\0k\0s\0"s + little_endian_bytes(3, 2) + "\4"s + little_endian_bytes(2, 4) + "twoph") +
         excel_record(0x27E, place + little_endian_bytes(0x17, 4)) + excel_record(0x203, place + std::string(8, '\x40')) +
         excel_record(0x0A, "");
}

std::string slides() {
  return powerpoint_record(0x0F, 0x3EE,
                           powerpoint_record(0, 0xFA8, "bytes") + powerpoint_record(0, 0xFA0, utf16_bytes(u"units"))) +
         powerpoint_record(0x0F, 0x2EE0, powerpoint_record(0, 0xFBA, utf16_bytes(u"said")));
}

WordStreams word() {
  return word_streams({{"one \x13 PAGE \x14"
                        "2\x15\r"},
                       {utf16_bytes(u"two"), false}});
}

template <class Add>
void check(const Add& add) {
  std::string text;
  scanning::TextWriter writer(text, text_bytes_max);
  (void)add(writer);
  (void)writer.finish();
  if (text.size() > text_bytes_max) std::abort();
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  const WordStreams streams = word();
  const std::string user = std::string(12, '\0') + little_endian_bytes(0xE391C05F, 4);
  return {workbook(),
          slides(),
          streams.table + streams.document,
          compound_file({{"Workbook", workbook()}}),
          compound_file({{"WordDocument", streams.document}, {"1Table", streams.table}}),
          compound_file({{"PowerPoint Document", slides() + std::string(4096, '\0')}, {"Current User", user}})};
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (scanning::text_of_old_office(bytes, text_bytes_max).text.size() > text_bytes_max) std::abort();
  check([&](scanning::TextWriter& text) { return scanning::add_text_of_excel(bytes, text); });
  check([&](scanning::TextWriter& text) { return scanning::add_text_of_powerpoint(bytes, text); });
  const std::size_t table_bytes = std::min(word().table.size(), size);  // the rest is the document
  check([&](scanning::TextWriter& text) {
    return scanning::add_text_of_word(bytes.substr(table_bytes), bytes.substr(0, table_bytes), text);
  });
  return 0;
}
