#include <cstdlib>

#include "formats/ical/calendar_meaning.h"
#include "fuzz_seeds.h"

using namespace mailhold;

std::vector<std::string> fuzz_seeds() {
  return {
      "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:A\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nDTSTART;TZID=A:1\r\nRRULE:FREQ=DAILY;"
      "BYDAY=MO,WE\r\nEXDATE:1,2\r\n"
      "ATTENDEE;CN=\"a;b\";ROLE=X:m\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
      "BEGIN:VTODO\nSUMMARY:a\\, b\\n\n c\nEND:VTODO\n"};
}
std::vector<std::string> fuzz_words() {
  return {"\r\n", "\r\n ", "\n\t", "BEGIN:", "END:",    ";",     "=",         "\"",    ":",
          ",",    "\\n",   "^n",   "RRULE:", "EXDATE:", "TZID=", "VTIMEZONE", "VEVENT"};
}

// Whatever can be read means what it means, folded or not, and in the other order of its lines too.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto same = ical::difference_of(text, text);
  if (!same) return 0;
  if (!same->is_none || !same->names.empty()) std::abort();
  std::string folded;
  std::size_t column = 0;
  for (const char letter : text) {
    if (letter != '\n' && letter != '\r' && ++column > 7) {
      folded += "\r\n ";
      column = 1;
    }
    if (letter == '\n') column = 0;
    folded += letter;
  }
  // A lone CR in the middle of a line would become a line break where it is folded.
  const bool has_odd_cr = text.find('\r') != std::string_view::npos;
  const auto found = ical::difference_of(text, folded);
  if (!has_odd_cr && (!found || !found->is_none)) std::abort();
  const auto half = ical::difference_of(text, text.substr(0, size / 2));
  const auto back = ical::difference_of(text.substr(0, size / 2), text);
  if (bool(half) != bool(back) || (half && half->is_none != back->is_none)) std::abort();
  return 0;
}
