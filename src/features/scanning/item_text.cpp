#include "features/scanning/item_text.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "features/scanning/documents/rich_text.h"
#include "features/scanning/text_collector.h"
#include "formats/contentlines/content_lines.h"
#include "formats/contentlines/meaning.h"
#include "formats/html/html_text.h"
#include "formats/mime/transfer.h"

namespace mailhold::scanning {
namespace {

using contentlines::Component;
using contentlines::Property;

constexpr contentlines::Limits limits{.bytes_max = item_text_bytes_max};
constexpr Milliseconds before_1970 = 1;  // 0 is no date

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string_view value_of(const Property& property, std::initializer_list<std::string_view> parameters) {
  for (const contentlines::Parameter& parameter : property.parameters) {
    if (is_one_of(parameter.name, parameters) && !parameter.values.empty() && !parameter.values.front().empty())
      return parameter.values.front();
  }
  return {};
}

// Without its escapes (RFC 5545 section 3.3.11); parts of a structured value, such as an address, stand apart.
std::string plain(std::string_view value) {
  std::string out;
  for (std::size_t at = 0; at < value.size(); ++at) {
    if (value[at] != '\\' || at + 1 == value.size()) {
      out += value[at] == ';' ? ' ' : value[at];
      continue;
    }
    const char next = value[++at];
    out += next == 'n' || next == 'N' ? '\n' : next;
  }
  return out;
}

std::string_view without_scheme(std::string_view value, std::string_view scheme) {
  value = trim(value);
  return starts_with_ignoring_case(value, scheme) ? value.substr(scheme.size()) : value;
}

// "20260302T090000Z", "20260302", "2026-03-02T09:00:00+01:00".
std::optional<Milliseconds> moment_of(std::string_view value) {
  std::string digits(trim(value).substr(0, 32));
  std::erase_if(digits, [](char letter) { return letter == '-' || letter == ':'; });
  const auto are_digits = [&](std::size_t at, std::size_t count) {
    return digits.size() >= at + count &&
           std::all_of(&digits[at], &digits[at] + count, [](char digit) { return digit >= '0' && digit <= '9'; });
  };
  if (!are_digits(0, 8)) return std::nullopt;
  const std::string day = digits.substr(0, 4) + "-" + digits.substr(4, 2) + "-" + digits.substr(6, 2);
  if (day < "1970") return before_1970;
  std::optional<Milliseconds> moment;
  if (digits.size() > 8 && digits[8] == 'T' && are_digits(9, 6))
    moment = parse_iso8601(day + "T" + digits.substr(9, 2) + ":" + digits.substr(11, 2) + ":" + digits.substr(13, 2) + "Z");
  if (!moment) moment = parse_iso8601(day);
  return moment ? std::optional(std::max(*moment, before_1970)) : std::nullopt;
}

std::optional<Milliseconds> moment_of(const Component& component, std::string_view name) {
  for (const Property& property : component.properties) {
    if (property.name != name) continue;
    if (const auto moment = moment_of(property.value)) return moment;
  }
  return std::nullopt;
}

class ItemText {
 public:
  explicit ItemText(DocumentPrograms* programs) : collector_(programs) {}

  ExtractedText of_calendar(std::string_view content) {
    return of(content, [this](const Component& component) { add_calendar(component); });
  }
  ExtractedText of_card(std::string_view content) {
    return of(content, [this](const Component& component) { add_card(component); });
  }

 private:
  template <class Add>
  ExtractedText of(std::string_view content, const Add& add) {
    const auto components = contentlines::read_components(content, limits);
    if (!components) {
      text_.complete = false;
      text_.documents_unread = 1;
      return std::move(text_);
    }
    for (const Component& component : *components) add(component);
    return std::move(text_);
  }

  void add_header(std::string& to, std::string_view line) {
    if (!trim(line).empty()) collector_.append(to, line, extracted_header_bytes_max);
  }
  void add_body(std::string_view line) {
    if (!trim(line).empty()) collector_.append(text_.body, line, extracted_body_bytes_max);
  }
  void note_date(std::optional<Milliseconds> moment) {
    if (moment && (text_.date == 0 || *moment < text_.date)) text_.date = *moment;
  }

  void add_calendar(const Component& component) {
    if (!is_one_of(component.name, {"VEVENT", "VTODO", "VJOURNAL"})) {
      for (const Component& each : component.components) add_calendar(each);
      return;
    }
    std::optional<Milliseconds> date;
    if (component.name == "VTODO") date = moment_of(component, "DUE");
    note_date(date ? date : moment_of(component, "DTSTART"));
    for (const Property& property : component.properties) add_calendar_property(property);
  }

  void add_calendar_property(const Property& property) {
    if (property.name == "SUMMARY") return add_header(text_.subject, plain(property.value));
    if (property.name == "ORGANIZER") return add_header(text_.senders, person(property));
    if (property.name == "ATTENDEE") return add_header(text_.recipients, person(property));
    if (property.name == "ATTACH") return add_attachment(property);
    if (is_one_of(property.name, {"DESCRIPTION", "LOCATION", "COMMENT", "CATEGORIES", "CONTACT", "RESOURCES"}))
      add_body(plain(property.value));
    if (is_one_of(property.name, {"URL", "CONFERENCE"})) add_body(property.value);
  }

  static std::string person(const Property& property) {
    std::string line(value_of(property, {"CN"}));
    for (const std::string_view address : {without_scheme(property.value, "mailto:"), value_of(property, {"EMAIL"})}) {
      if (!address.empty()) line.append(line.empty() ? "<" : " <").append(address).append(">");
    }
    return line;
  }

  void add_attachment(const Property& property) {
    text_.has_attachment = true;
    const std::string_view name = value_of(property, {"FILENAME", "X-FILENAME", "X-APPLE-FILENAME"});
    add_header(text_.attachment_names, name);
    if (contentlines::has_value(property, "ENCODING", "BASE64") || contentlines::has_value(property, "VALUE", "BINARY"))
      return add_inline(property, name);
    if (!starts_with_ignoring_case(trim(property.value), "data:")) add_body(property.value);
  }

  void add_inline(const Property& property, std::string_view name) {
    if (++inline_ > inline_attachments_max) {
      text_.complete = false;
      if (inline_ == inline_attachments_max + 1) ++text_.documents_unread;
      return;
    }
    const std::string bytes = mime::decode_base64(property.value).bytes;
    const std::string type = to_lower(value_of(property, {"FMTTYPE"}));
    if (type.starts_with("text/") && !is_rich_text(bytes)) {
      collector_.append(text_.attachment_text, type == "text/html" ? html::text_of(bytes) : bytes,
                        extracted_attachment_bytes_max);
    } else if (!collector_.add_document(bytes, name)) {
      // As in messages: images and the like hold no words.
      text_.complete = text_.complete && (type.starts_with("image/") || type.starts_with("audio/"));
    }
  }

  void add_card(const Component& card) {
    if (card.name != "VCARD") return;
    note_date(moment_of(card, "REV"));
    for (const Property& property : card.properties) add_card_property(property);
  }

  void add_card_property(const Property& property) {
    if (property.name == "FN") add_header(text_.subject, plain(property.value));
    if (is_one_of(property.name, {"FN", "N", "NICKNAME", "EMAIL"})) {
      const std::string own = plain(without_scheme(property.value, "mailto:"));
      add_header(text_.senders, own);
      add_header(text_.recipients, own);
    }
    if (is_one_of(property.name, {"ORG", "TITLE", "ROLE", "TEL", "ADR", "LABEL", "NOTE", "CATEGORIES"}))
      add_body(plain(property.value));
    if (is_one_of(property.name, {"URL", "IMPP"})) add_body(property.value);
  }

  TextCollector collector_;
  ExtractedText& text_ = collector_.text;
  std::size_t inline_ = 0;
};

}  // namespace

ExtractedText extract_calendar_text(std::string_view content, DocumentPrograms* programs) {
  return ItemText(programs).of_calendar(content);
}

ExtractedText extract_card_text(std::string_view content) { return ItemText(nullptr).of_card(content); }

}  // namespace mailhold::scanning
