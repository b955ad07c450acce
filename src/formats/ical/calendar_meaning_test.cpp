#include "formats/ical/calendar_meaning.h"

#include <gtest/gtest.h>

#include "corpora.h"
#include "formats/ical/zone_names.h"

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
  // A public zone by its name; one that nothing is in says nothing.
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

std::string private_zone(const std::string& observances, const std::string& more = "") {
  return "BEGIN:VTIMEZONE\r\nTZID:Customized Time Zone\r\n" + more + observances + "END:VTIMEZONE\r\n";
}
const std::string winter =
    "BEGIN:STANDARD\r\nDTSTART:16010101T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n"
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r\nEND:STANDARD\r\n";
const std::string summer =
    "BEGIN:DAYLIGHT\r\nDTSTART:16010101T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n"
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\r\nEND:DAYLIGHT\r\n";

TEST(CalendarMeaning, a_zone_of_a_private_name_is_what_its_rules_say) {
  const std::string in_it = "DTSTART;TZID=Customized Time Zone:20260101T000000\r\n";
  const std::string zone_text = private_zone(winter + summer);
  const auto with = [&](const std::string& zone_written) {
    return between(calendar(in_it, zone_text), calendar(in_it, zone_written));
  };
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = zone_text;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return with(text.replace(at, from.size(), to));
  };
  // Written otherwise.
  EXPECT_EQ(with(private_zone(summer + winter, "LAST-MODIFIED:20260101T000000Z\r\nX-LIC-LOCATION:Europe/Berlin\r\n")), "");
  EXPECT_EQ(changed("TZOFFSETTO:+0100\r\n", "TZNAME:CET\r\nTZOFFSETTO:+010000\r\n"), "");
  EXPECT_EQ(changed("RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "RRULE:BYMONTH=10;BYDAY=-1SU;FREQ=YEARLY;INTERVAL=1"), "");
  // Another zone.
  EXPECT_EQ(changed("TZOFFSETFROM:+0200", "TZOFFSETFROM:+0300"), "STANDARD.TZOFFSETFROM");
  EXPECT_EQ(changed("TZOFFSETTO:+0100", "TZOFFSETTO:+010030"), "STANDARD.TZOFFSETTO");
  EXPECT_EQ(changed("DTSTART:16010101T030000", "DTSTART:16010101T040000"), "STANDARD.DTSTART");
  EXPECT_EQ(changed("BYMONTH=3", "BYMONTH=4"), "DAYLIGHT.RRULE");
  EXPECT_EQ(changed("RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3", "RDATE:20260329T020000"), "DAYLIGHT.RDATE DAYLIGHT.RRULE");
  EXPECT_NE(with(private_zone(winter)), "");
  EXPECT_NE(with(private_zone("")), "");
  EXPECT_NE(with(""), "");
}

TEST(CalendarMeaning, only_names_of_the_database_are_public) {
  for (const char* name : {"Europe/Berlin", "America/Argentina/Buenos_Aires", "UTC", "Etc/GMT+5", "Africa/Abidjan", "Zulu"})
    EXPECT_TRUE(is_public_zone(name)) << name;
  for (const char* name : {"", " ", "Europe", "Berlin", "Europe/Berlin ", "Europe/Berlin Europe/Brussels", "Europe/Atlantis",
                           "/example.org/Europe/Berlin", "W. Europe Standard Time", "europe/berlin"})
    EXPECT_FALSE(is_public_zone(name)) << name;
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
