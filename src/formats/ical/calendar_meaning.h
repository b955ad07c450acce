// Compares two iCalendar objects (RFC 5545, RFC 7986) by what they mean.
//
// Not compared, because servers write it of their own:
//   PRODID              names the program that wrote the bytes last
//   METHOD              no stored object has one (RFC 4791 section 4.1)
//   DTSTAMP, LAST-MODIFIED, CREATED   when the server stored it; nothing of the event
//   X-RADICALE-NAME     the name of the resource
//   SCHEDULE-STATUS     what the server reports of invitations it sent (RFC 6638 section 7.3)
// Time zones, where something is in them; a VTIMEZONE that nothing is in says nothing:
//   of a name of the IANA database    compared by the name: servers keep tables of their own and write what stands there
//                                     (RFC 7809), and programs read the name
//   of any other name                 its observances (STANDARD, DAYLIGHT) are compared, in any order: DTSTART, RRULE, RDATE,
//                                     TZOFFSETFROM, TZOFFSETTO. Not TZNAME and what else is for people
// What stands for itself when it is left out is as if it were there: CALSCALE:GREGORIAN, INTERVAL=1 and WKST=MO of a rule, the
// usual VALUE.
#pragma once

#include "formats/contentlines/meaning.h"

namespace mailhold::ical {

// invalid_input, limit_exceeded: one of them cannot be read.
Result<contentlines::Difference> difference_of(std::string_view a, std::string_view b);

}  // namespace mailhold::ical
