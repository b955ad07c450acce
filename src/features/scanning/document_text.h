// The text of a document: what a reader of the attachment finds words in.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace mailhold::scanning {

struct DocumentText {
  std::string text;    // may hold anything: whoever passes it on makes it clean UTF-8
  bool whole = false;  // false: it could not be read, or not to its end; what is there is right
};

// What reads the documents that a worker does not read itself.
class DocumentPrograms {
 public:
  virtual ~DocumentPrograms() = default;
  // At most so many bytes of text. A program that is away, fails or takes too long costs this document's text only.
  virtual DocumentText read_pdf(std::string_view document, std::size_t bytes_max) = 0;
};

// The documents of one message, in turn. Bounded: so many, so many bytes unpacked, and what the programs allow.
class Documents {
 public:
  // nullptr: none is read, not even looked into; each counts as one that could not be.
  explicit Documents(DocumentPrograms* programs) : programs_(programs) {}

  // Nothing: this is no document. Told by content alone: PDF, office files (office_text.h), and older or encrypted office files,
  // which nothing reads.
  std::optional<DocumentText> read(std::string_view bytes, std::size_t bytes_max);

 private:
  DocumentPrograms* const programs_;
  std::size_t documents_left_ = 32;
  std::size_t unpacked_left_ = 64U << 20;
};

}  // namespace mailhold::scanning
