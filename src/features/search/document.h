// What is indexed of a message, and what is found.
//
// Design: docs/formats/search.md
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/id.h"

namespace mailhold::search {

inline constexpr std::size_t document_text_bytes_max = 1U << 20;  // all texts of one together

// The texts of a message, an event, a task or a contact, UTF-8. Words in them count; what stands between does not.
struct Texts {
  std::string senders;  // names and addresses
  std::string recipients;
  std::string subject;
  std::string body;
  std::string attachment_names;
  std::string attachment_text;

  std::size_t bytes() const {
    return senders.size() + recipients.size() + subject.size() + body.size() + attachment_names.size() + attachment_text.size();
  }
};

struct Document {
  Id mailbox;
  Id message;                 // the content; the same in many mailboxes
  Milliseconds received = 0;  // of what is no mail: its own date; 0: none
  bool has_attachment = false;
  Texts texts;
  bool has_unreadable = false;  // a document among the attachments, whose text is not all there
};

// How far the versions of items of a mailbox have been taken in, in the order of (since, item).
struct Cursor {
  Id mailbox;
  Milliseconds since = 0;
  Id item;
};

// Words to look for, in the syntax of FTS5 over the columns of a segment: query.h makes it. Times are when a message was
// received.
struct Question {
  std::string words;
  Milliseconds from = 0;      // not before
  Milliseconds until = 0;     // before; 0: no limit
  std::uint32_t limit = 100;  // the newest so many
};

struct Hit {
  Id mailbox;
  Id message;
  Milliseconds received = 0;
  friend bool operator==(const Hit&, const Hit&) = default;
};

// What a person sees of an index.
struct Figures {
  std::uint64_t documents = 0;
  std::uint32_t segments = 0;
  std::uint64_t bytes = 0;  // of segments
};

}  // namespace mailhold::search
