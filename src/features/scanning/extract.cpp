#include "features/scanning/extract.h"

#include <algorithm>

#include "base/text.h"
#include "base/utf8.h"
#include "features/scanning/documents/rich_text.h"
#include "formats/html/html_text.h"
#include "formats/mime/message.h"
#include "formats/mime/parameters.h"
#include "formats/mime/readings.h"
#include "formats/mime/text.h"

namespace mailhold::scanning {
namespace {

constexpr std::size_t field_bytes_max = 8U << 10;
constexpr std::size_t decoded_bytes_max = 32U << 20;
constexpr std::size_t part_bytes_max = 4U << 20;  // of one part, looked at for its text

class Extraction {
 public:
  Extraction(std::string_view bytes, DocumentPrograms* programs)
      : bytes_(bytes), message_(mime::parse(bytes, {500, 30, 5000})), documents_(programs) {}

  ExtractedText run() {
    text_.complete = true;
    if (message_.parts.empty()) return std::move(text_);
    add_fields(text_.senders, message_.parts.front(), {"from", "sender", "reply-to"});
    add_fields(text_.recipients, message_.parts.front(), {"to", "cc", "bcc"});
    add_fields(text_.subject, message_.parts.front(), {"subject"});
    for (const mime::Part& part : message_.parts) add_part(part);
    const bool whole = mime::visit_readings(bytes_, message_, {decoded_bytes_max}, [this](const mime::Reading& reading) {
      if (reading.kind == mime::ReadingKind::primary) add_content(message_.parts[reading.part], reading.bytes);
    });
    text_.complete = text_.complete && whole;
    if (!whole) ++text_.documents_unread;  // what is behind the limit may be one
    return std::move(text_);
  }

 private:
  // Cuts at a character. False: text beyond the limit is left out.
  bool append(std::string& to, std::string_view text, std::size_t bytes_max) {
    for (std::size_t at = 0; at < text.size();) {
      const char32_t c = next_code_point(text, at);
      if (to.size() + 4 > bytes_max) {
        text_.complete = false;
        return false;
      }
      const bool is_control = (c < 0x20 && c != '\n') || (c >= 0x7F && c < 0xA0);
      append_utf8(to, is_control ? U' ' : c);
    }
    if (to.size() < bytes_max) to += '\n';
    return true;
  }

  void add_fields(std::string& to, const mime::Part& part, std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) {
      for (const mime::Field* field : message_.find_all(bytes_, part, name))
        append(to, mime::decode_header_text(field->value.of(bytes_), field_bytes_max), extracted_header_bytes_max);
    }
  }

  std::string parameter_of(const mime::Part& part, std::string_view field_name, std::string_view parameter) const {
    const mime::Field* field = message_.find(bytes_, part, field_name);
    if (field == nullptr) return {};
    const auto values = mime::readings_of(mime::parse_parameters(field->value.of(bytes_)), parameter);
    return values.empty() ? std::string() : values.front();
  }

  bool is_attachment(const mime::Part& part) const {
    const mime::Field* field = message_.find(bytes_, part, "content-disposition");
    if (field != nullptr && starts_with_ignoring_case(trim(field->value.of(bytes_)), "attachment")) return true;
    return !name_of(part).empty();
  }

  std::string name_of(const mime::Part& part) const {
    std::string name = parameter_of(part, "content-disposition", "filename");
    return name.empty() ? parameter_of(part, "content-type", "name") : name;
  }

  void add_part(const mime::Part& part) {
    if (part.parent != mime::no_part && message_.parts[static_cast<std::size_t>(part.parent)].is_message()) {
      // A message inside: what its reader sees counts as its text.
      for (const std::string_view name : {"subject", "from", "to", "cc"}) add_fields(text_.body, part, {name});
    }
    if (!is_attachment(part)) return;
    text_.has_attachment = true;
    append(text_.attachment_names, mime::decode_header_text(name_of(part), field_bytes_max), extracted_header_bytes_max);
  }

  void add_content(const mime::Part& part, std::string_view decoded) {
    if (!part.is_text() || is_rich_text(decoded)) {
      if (add_document(decoded, mime::decode_header_text(name_of(part), field_bytes_max))) return;
      // Images and the like hold no words; of other kinds nobody has read them.
      text_.complete = text_.complete && (part.type.starts_with("image/") || part.type.starts_with("audio/"));
      return;
    }
    if (decoded.size() > part_bytes_max) {
      decoded = decoded.substr(0, part_bytes_max);
      text_.complete = false;
    }
    std::string text = mime::to_utf8(decoded, parameter_of(part, "content-type", "charset"), part_bytes_max);
    if (part.type == "text/html") text = html::text_of(text);
    const bool attached = is_attachment(part);
    append(attached ? text_.attachment_text : text_.body, text,
           attached ? extracted_attachment_bytes_max : extracted_body_bytes_max);
  }

  // False: it is none.
  bool add_document(std::string_view bytes, std::string_view name) {
    const std::size_t used = text_.attachment_text.size();
    const std::size_t left = extracted_attachment_bytes_max - std::min(used, extracted_attachment_bytes_max);
    const std::optional<DocumentText> document = documents_.read(bytes, name, left);
    if (!document) return false;
    const std::string& text = document->text;
    const bool fits = text.empty() || append(text_.attachment_text, text, extracted_attachment_bytes_max);
    const bool whole = fits && document->whole;
    text_.complete = text_.complete && whole;
    ++(whole ? text_.documents_read : text_.documents_unread);
    return true;
  }

  const std::string_view bytes_;
  mime::Message message_;
  Documents documents_;
  ExtractedText text_;
};

}  // namespace

ExtractedText extract_text(std::string_view message, DocumentPrograms* programs) { return Extraction(message, programs).run(); }

}  // namespace mailhold::scanning
