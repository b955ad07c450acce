#include "features/scanning/extract.h"

#include "base/text.h"
#include "features/scanning/documents/rich_text.h"
#include "features/scanning/item_text.h"
#include "features/scanning/text_collector.h"
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
      : bytes_(bytes), message_(mime::parse(bytes, {500, 30, 5000})), collector_(programs) {}

  ExtractedText run() {
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
  void append(std::string& to, std::string_view text, std::size_t bytes_max) { collector_.append(to, text, bytes_max); }

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
      if (collector_.add_document(decoded, mime::decode_header_text(name_of(part), field_bytes_max))) return;
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

  const std::string_view bytes_;
  mime::Message message_;
  TextCollector collector_;
  ExtractedText& text_ = collector_.text;
};

}  // namespace

ExtractedText extract_text(std::string_view message, DocumentPrograms* programs) { return Extraction(message, programs).run(); }

ExtractedText extract_text(TextForm form, std::string_view content, DocumentPrograms* programs) {
  switch (form) {
    case TextForm::message: return extract_text(content, programs);
    case TextForm::icalendar: return extract_calendar_text(content, programs);
    case TextForm::vcard: return extract_card_text(content);
  }
  return {};
}

}  // namespace mailhold::scanning
