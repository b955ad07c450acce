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

class Archive;
struct ArchiveMember;

// The documents of one message, in turn. Bounded: so many, so many bytes unpacked, so many members of archives, archives in
// archives and no deeper, and what the programs allow.
class Documents {
 public:
  // nullptr: none is read, not even looked into; each counts as one that could not be.
  explicit Documents(DocumentPrograms* programs) : programs_(programs) {}

  // Nothing: this is no document. Told by content alone: PDF, office files old (old_office_text.h) and newer (office_text.h),
  // rich text, and archives (archive.h). Of an archive the names of its members and the text of those that are documents, or text
  // by their names; it is whole when all that can be told to be such was read to its end, and nothing in it is encrypted. `name`:
  // that of the attachment, for a packed file that has none of its own.
  std::optional<DocumentText> read(std::string_view bytes, std::string_view name, std::size_t bytes_max) {
    return read_at(bytes, name, bytes_max, 1);
  }

 private:
  std::optional<DocumentText> read_at(std::string_view bytes, std::string_view name, std::size_t bytes_max, unsigned depth);
  DocumentText read_pdf(std::string_view bytes, std::size_t bytes_max);
  DocumentText read_archive(std::string_view bytes, std::string_view name, std::size_t bytes_max, unsigned depth);
  bool add_member(const Archive& archive, const ArchiveMember& member, std::string_view name, unsigned depth, std::string& text,
                  std::size_t bytes_max);

  DocumentPrograms* const programs_;
  std::size_t documents_left_ = 256;
  std::size_t pdf_left_ = 32;
  std::size_t members_left_ = 2048;
  std::size_t unpacked_left_ = 64U << 20;
};

}  // namespace mailhold::scanning
