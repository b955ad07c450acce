#include "formats/ical/calendar_meaning.h"

#include <gtest/gtest.h>

#include "corpora.h"

namespace mailhold::ical {
namespace {

std::string calendar(const std::string& event, const std::string& more = "") {
  return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//A//EN\r\n" + more +
         "BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n" + event + "END:VEVENT\r\nEND:VCALENDAR\r\n";
}
const std::string zone =
    "BEGIN:VTIMEZONE\r\nTZID:Europe/"
    "Berlin\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:"
    "VTIMEZONE\r\n";

// "" where they mean the same, else in what they differ.
std::string between(const std::string& a, const std::string& b) {
  const auto there = difference_of(a, b), back = difference_of(b, a);
  if (!there || !back) return "unreadable";
  EXPECT_EQ(there->is_none, back->is_none);
  std::string names;
  for (const std::string& name : there->names) names += (names.empty() ? "" : " ") + name;
  return there->is_none ? "" : names;
}

TEST(CalendarMeaning, is_the_same_however_it_is_written) {
  const std::pair<std::string, std::string> same[] = {
      {"SUMMARY:a long line\r\nSTATUS:CONFIRMED\r\n", "status:confirmed\nSUMMARY:a lo\n ng l\n\tine\n"},
      {"RRULE:FREQ=WEEKLY;BYDAY=MO,WE;INTERVAL=1\r\n", "RRULE:byday=WE,MO;WKST=MO;freq=weekly\r\n"},
      {"EXDATE:20260101T000000Z,20260102T000000Z\r\n", "EXDATE:20260102T000000Z\r\nEXDATE:20260101T000000Z\r\n"},
      {"ATTENDEE;CN=\"Ann\";ROLE=CHAIR;PARTSTAT=accepted:mailto:a@x\r\n",
       "ATTENDEE;PARTSTAT=ACCEPTED;SCHEDULE-STATUS=\"2.0\";CN=Ann;ROLE=CHAIR:mailto:a@x\r\n"},
      {"DTSTART;VALUE=DATE-TIME:20260101T000000Z\r\n",
       "DTSTART:20260101T000000Z\r\nCREATED:20260102T000000Z\r\nLAST-MODIFIED:20260102T000000Z\r\n"},
      {"DESCRIPTION:a\\nb\\, c\r\n", "DESCRIPTION:a\\Nb\\, c\r\n"},
      {"ATTACH;ENCODING=BASE64;VALUE=BINARY:AAAA\r\n", "ATTACH;VALUE=binary;encoding=base64:AA\r\n  AA\r\n"},
      {"BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nBEGIN:VALARM\r\nACTION:AUDIO\r\nTRIGGER:-PT1M\r\nEND:"
       "VALARM\r\n",
       "BEGIN:VALARM\r\nTRIGGER;VALUE=DURATION:-PT1M\r\nACTION:AUDIO\r\nEND:VALARM\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-"
       "PT5M\r\nEND:VALARM\r\n"}};
  for (const auto& [a, b] : same)
    EXPECT_EQ(between(calendar(a), calendar(b, "CALSCALE:GREGORIAN\r\nMETHOD:PUBLISH\r\n")), "") << a;
  // A zone by its name; one that nothing is in says nothing.
  const std::string in_zone = "DTSTART;TZID=Europe/Berlin:20260101T000000\r\n";
  std::string other_zone = zone;
  other_zone.replace(other_zone.find("+0200"), 5, "+0300");
  EXPECT_EQ(between(calendar(in_zone, zone), calendar(in_zone, other_zone)), "");
  EXPECT_EQ(between(calendar("", zone), calendar("")), "");
}

TEST(CalendarMeaning, is_another_where_anything_of_it_is) {
  const std::string in_zone = "DTSTART;TZID=Europe/Berlin:20260101T000000\r\n";
  const struct {
    std::string a, b, what;
  } others[] = {
      {"RRULE:FREQ=WEEKLY;BYDAY=MO,WE\r\n", "RRULE:FREQ=WEEKLY;BYDAY=MO\r\n", "VEVENT.RRULE"},
      {"RRULE:FREQ=WEEKLY\r\n", "", "VEVENT.RRULE"},
      {"RRULE:FREQ=WEEKLY;COUNT=5\r\n", "RRULE:FREQ=WEEKLY\r\n", "VEVENT.RRULE"},
      {"RRULE:FREQ=WEEKLY;INTERVAL=2\r\n", "RRULE:FREQ=WEEKLY\r\n", "VEVENT.RRULE"},
      {"EXDATE:20260101T000000Z\r\n", "", "VEVENT.EXDATE"},
      {"SUMMARY:a\r\n", "SUMMARY:A\r\n", "VEVENT.SUMMARY"},
      {"SUMMARY:a\\, b\r\n", "SUMMARY:a, b\r\n", "VEVENT.SUMMARY"},
      {"SUMMARY:twice\r\nSUMMARY:twice\r\n", "SUMMARY:twice\r\n", "VEVENT.SUMMARY"},
      {"ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@x\r\n", "ATTENDEE;PARTSTAT=DECLINED:mailto:a@x\r\n", "VEVENT.ATTENDEE"},
      {"ATTENDEE;CN=Ann:mailto:a@x\r\nATTENDEE;CN=Bob:mailto:b@x\r\n",
       "ATTENDEE;CN=Bob:mailto:a@x\r\nATTENDEE;CN=Ann:mailto:b@x\r\n", "VEVENT.ATTENDEE"},
      {"DTSTART:20260101T000000Z\r\n", "DTSTART:20260101T000000\r\n", "VEVENT.DTSTART"},
      {"DTSTART;VALUE=DATE:20260101\r\n", "DTSTART:20260101\r\n", "VEVENT.DTSTART"},
      {in_zone, "DTSTART;TZID=Europe/Paris:20260101T000000\r\n", "VEVENT.DTSTART"},
      {"ATTACH;ENCODING=BASE64;VALUE=BINARY:AAAA\r\n", "ATTACH;ENCODING=BASE64;VALUE=BINARY:AAAB\r\n", "VEVENT.ATTACH"},
      {"BEGIN:VALARM\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n", "BEGIN:VALARM\r\nTRIGGER:PT5M\r\nEND:VALARM\r\n", "VALARM.TRIGGER"},
      {"BEGIN:VALARM\r\nEND:VALARM\r\n", "", "components"},
      {"X-OWN:a\r\n", "X-OWN:b\r\n", "VEVENT.X-OWN"}};
  for (const auto& [a, b, what] : others) EXPECT_EQ(between(calendar(a), calendar(b)), what);
  EXPECT_EQ(between(calendar(in_zone, zone), calendar(in_zone)), "VTIMEZONE.TZID");
  EXPECT_EQ(between(calendar(""), "BEGIN:VCALENDAR"), "unreadable");
}

TEST(CalendarMeaning, of_the_collection_is_that_of_its_own_lines_folded_anew) {
  CORPUS_OR_RETURN(folder, "itip-calendar-vcard");
  std::size_t compared = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".ics") continue;
    const std::string text = read_whole_file(entry.path());
    if (!contentlines::read_components(text)) continue;
    // A CR in the middle of a line would end it where it is folded.
    if (std::count(text.begin(), text.end(), '\r') > std::count(text.begin(), text.end(), '\n')) continue;
    if (text.find("\r\n") == std::string::npos && text.find('\r') != std::string::npos) continue;
    std::string folded;
    std::size_t column = 0;
    for (const char letter : text) {
      if (letter == '\r') continue;
      if (letter != '\n' && ++column > 20) {
        folded += "\r\n ";
        column = 1;
      }
      if (letter == '\n') column = 0;
      folded += letter;
    }
    EXPECT_EQ(between(text, folded), "") << entry.path();
    ++compared;
  }
  EXPECT_GT(compared, 100U);
}

}  // namespace
}  // namespace mailhold::ical
