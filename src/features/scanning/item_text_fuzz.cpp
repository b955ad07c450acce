#include <cstdlib>

#include "features/scanning/extract_messages.h"
#include "fuzz_seeds.h"

using namespace mailhold;

std::vector<std::string> fuzz_seeds() {
  return {
      "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;TZID=A:20260302T090000\r\nSUMMARY:a\\, "
      "b\\n\r\nORGANIZER;CN=\"a;b\":mailto:a@b\r\n"
      "ATTENDEE;EMAIL=x@y;CN=Ann^nB:mailto:c@d\r\nLOCATION:e\r\nATTACH;FILENAME=f;FMTTYPE=text/plain;ENCODING=BASE64:eHk=\r\n"
      "ATTACH:https://h/i\r\nEND:VEVENT\r\nBEGIN:VTODO\r\nDUE:20250101\r\nEND:VTODO\r\nEND:VCALENDAR\r\n",
      "BEGIN:VCARD\r\nREV:2026-03-02T09:00:00Z\r\nFN:Ann\r\nN:Doe;Ann;;\\;;\r\nitem1.TEL:+1\r\nEMAIL:a@b\r\nADR:;;s\\, t;u\r\n"
      "END:VCARD\r\n"};
}
std::vector<std::string> fuzz_words() {
  return {
      "\r\n",      "\r\n ",     "BEGIN:",   "END:",     "VEVENT", "VTODO",       "VCARD", "SUMMARY:",        "ATTENDEE;CN=",
      "ATTACH",    "FILENAME=", "DTSTART:", "DUE:",     "REV:",   "\\n",         "^n",    "ENCODING=BASE64", "FMTTYPE=text/html",
      "ORGANIZER", "mailto:",   "20260302", "T090000Z", "N:",     "DESCRIPTION:"};
}

// The text of any content of both forms: whatever is extracted is what the other side takes, and folding changes nothing of it.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  std::string folded;
  bool has_odd_cr = false;  // one in a line would become a line break where it is folded
  std::size_t column = 0;
  for (std::size_t at = 0; at < size; ++at) {
    const char letter = content[at];
    has_odd_cr = has_odd_cr || (letter == '\r' && (at + 1 == size || content[at + 1] != '\n'));
    if (letter != '\n' && letter != '\r' && ++column > 7) {
      folded += "\r\n ";
      column = 1;
    }
    if (letter == '\n') column = 0;
    folded += letter;
  }
  for (const scanning::TextForm form : {scanning::TextForm::icalendar, scanning::TextForm::vcard}) {
    const std::string extracted = scanning::encode_extracted(scanning::extract_text(form, content));
    if (!scanning::parse_extracted(extracted)) std::abort();
    const bool is_readable = scanning::parse_extracted(extracted)->documents_unread == 0;
    if (is_readable && !has_odd_cr && scanning::encode_extracted(scanning::extract_text(form, folded)) != extracted) std::abort();
  }
  return 0;
}
