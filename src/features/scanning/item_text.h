// The texts of calendar items (RFC 5545) and contacts (RFC 6350), in the places of a message's: what people search by. Internal
// to this room: extract.h is its door, and its limits hold.
//
//   place             event, task, journal entry                                  contact
//   senders           ORGANIZER: name and address                                 FN, N, NICKNAME, EMAIL
//   recipients        ATTENDEE: names and addresses                               the same: a contact is found by from: and by
//   to: subject           SUMMARY                                                     FN body              DESCRIPTION, LOCATION,
//   COMMENT, CATEGORIES, CONTACT,        ORG, TITLE, ROLE, TEL, ADR, LABEL, NOTE,
//                     RESOURCES, URL, CONFERENCE, ATTACH that is a link           CATEGORIES, URL, IMPP
//   attachment names  FILENAME of ATTACH (also X-FILENAME, X-APPLE-FILENAME)      none
//   attachment text   of an ATTACH in base64 that is text or a document           none: photos, logos, sounds and keys are not
//   read date              DTSTART; of a task DUE, else DTSTART; the earliest          REV
//
// A time counts as it is written: its zone is not looked at. One before 1970 counts as 1970 (1 ms). Alarms, zones and properties
// of other names are not read. What cannot be read as content lines, or is longer than item_text_bytes_max, has no text, is not
// complete and counts as a document that could not be read.
#pragma once

#include <string_view>

#include "features/scanning/extract.h"

namespace mailhold::scanning {

inline constexpr std::size_t item_text_bytes_max = 32U << 20;
inline constexpr std::size_t inline_attachments_max = 200;  // of one content

ExtractedText extract_calendar_text(std::string_view content, DocumentPrograms* programs);
ExtractedText extract_card_text(std::string_view content);

}  // namespace mailhold::scanning
