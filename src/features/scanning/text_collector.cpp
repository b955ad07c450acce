#include "features/scanning/text_collector.h"

#include <algorithm>

#include "base/utf8.h"

namespace mailhold::scanning {

bool TextCollector::append(std::string& to, std::string_view more, std::size_t bytes_max) {
  for (std::size_t at = 0; at < more.size();) {
    const char32_t c = next_code_point(more, at);
    if (to.size() + 4 > bytes_max) {
      text.complete = false;
      return false;
    }
    const bool is_control = (c < 0x20 && c != '\n') || (c >= 0x7F && c < 0xA0);
    append_utf8(to, is_control ? U' ' : c);
  }
  if (to.size() < bytes_max) to += '\n';
  return true;
}

bool TextCollector::add_document(std::string_view bytes, std::string_view name) {
  const std::size_t used = text.attachment_text.size();
  const std::size_t left = extracted_attachment_bytes_max - std::min(used, extracted_attachment_bytes_max);
  const std::optional<DocumentText> document = documents_.read(bytes, name, left);
  if (!document) return false;
  const std::string& words = document->text;
  const bool fits = words.empty() || append(text.attachment_text, words, extracted_attachment_bytes_max);
  const bool whole = fits && document->whole;
  text.complete = text.complete && whole;
  ++(whole ? text.documents_read : text.documents_unread);
  return true;
}

}  // namespace mailhold::scanning
