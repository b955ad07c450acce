// TextCollector: gathers the texts of one item within the limits of extract.h, as clean UTF-8. Internal to this room.
#pragma once

#include "features/scanning/extract.h"

namespace mailhold::scanning {

class TextCollector {
 public:
  explicit TextCollector(DocumentPrograms* programs) : documents_(programs) { text.complete = true; }

  // One line more, cut at a character; control characters become blanks. False: text beyond the limit is left out.
  bool append(std::string& to, std::string_view more, std::size_t bytes_max);
  // The words of a document, to the texts of attachments. False: it is none.
  bool add_document(std::string_view bytes, std::string_view name);

  ExtractedText text;

 private:
  Documents documents_;
};

}  // namespace mailhold::scanning
