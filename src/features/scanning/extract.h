// The text of a message, an event, a task or a contact, for finding it again: what a reader sees of subject, people, bodies and
// attachments. Parses foreign content: only in a worker. Pure, linear in the size of the content, bounded by the limits here.
//
// Design: docs/flows/search.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "features/scanning/document_text.h"

namespace mailhold::scanning {

enum class TextForm : std::uint8_t { message = 1, icalendar = 2, vcard = 3 };

struct ExtractedText {
  // False: a limit was reached, a part did not open, or nothing reads its kind. What is there is right.
  bool complete = false;
  bool has_attachment = false;
  // UTF-8 without control characters but line ends.
  std::string senders;     // From, Sender and Reply-To: names and addresses
  std::string recipients;  // To, Cc, Bcc
  std::string subject;
  std::string body;              // text and HTML bodies, also those of messages inside
  std::string attachment_names;  // one on each line
  std::string attachment_text;   // of attachments that are text, and of documents
  std::uint32_t documents_read = 0;
  std::uint32_t documents_unread = 0;  // or not to their ends
  // Of an event, a task or a contact: what it says of itself (item_text.h); 0: nothing. Of a message always 0.
  Milliseconds date = 0;
};

inline constexpr std::size_t extracted_header_bytes_max = 32U << 10;       // of senders, recipients, subject and names, each
inline constexpr std::size_t extracted_body_bytes_max = 256U << 10;        // of the body
inline constexpr std::size_t extracted_attachment_bytes_max = 512U << 10;  // of attachments

// Of a content of that form. Documents are read with `programs`; nullptr leaves them all unread.
ExtractedText extract_text(TextForm form, std::string_view content, DocumentPrograms* programs = nullptr);
ExtractedText extract_text(std::string_view message, DocumentPrograms* programs = nullptr);  // of a message

}  // namespace mailhold::scanning
