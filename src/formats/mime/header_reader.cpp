#include "formats/mime/header_reader.h"

#include "base/text.h"
#include "formats/mime/parameters.h"
#include "formats/mime/text.h"

namespace mailhold::mime {
namespace {

constexpr std::size_t line_bytes_max = 998;  // RFC 5322 section 2.1.1

bool is_content_field(std::string_view name) {
  return equals_ignoring_case(name, "content-type") || equals_ignoring_case(name, "content-transfer-encoding") ||
         equals_ignoring_case(name, "content-disposition");
}

// Letters and "-" of a text, lower case, without all else: what a forgiving reader may see in a name.
std::string letters_of(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 80)) {
    const char lower = to_lower(c);
    if ((lower >= 'a' && lower <= 'z') || lower == '-') out.push_back(lower);
  }
  return out;
}

bool mentions_content_field(std::string_view text) {
  const std::string letters = letters_of(text);
  return letters.find("content-t") != std::string::npos || letters.find("content-d") != std::string::npos;
}

// A MIME field that only its blank makes a continuation of the line above. The lists of field names in
// signatures ("content-type:content-transfer-encoding:") are none.
bool is_disguised_field(std::string_view text) {
  if (!starts_with_ignoring_case(text, "content-")) return false;
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || !is_content_field(trim(text.substr(0, colon)))) return false;
  const std::string value = to_lower(text.substr(colon + 1, 200));
  for (const std::string_view mark : {"/", "base64", "quoted", "uu", "bit", "binary", "attachment", "inline"}) {
    if (value.find(mark) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

void HeaderReader::take_line(std::size_t begin, std::size_t text_end, std::size_t next) {
  const std::string_view text = bytes_.substr(begin, text_end - begin);
  note_bytes(text, next - text_end == 2);
  const bool first = !any_line_;
  any_line_ = true;
  if (text[0] != ' ' && text[0] != '\t') {
    start_field(begin, text_end, next);
    return;
  }
  if (trim(text).empty()) message_.oddities.add(OddityKind::blank_continuation, part_);
  if (is_disguised_field(trim(text))) message_.oddities.add(OddityKind::hidden_content_field, part_);
  if (!open_) {
    if (first || mentions_content_field(text)) message_.oddities.add(OddityKind::leading_continuation, part_);
    return;
  }
  Field& field = message_.fields.back();
  field.whole.length = next - field.whole.offset;
  field.value.length = text_end - field.value.offset;
}

void HeaderReader::note_bytes(std::string_view text, bool crlf) {
  (crlf ? any_crlf_ : any_lf_) = true;
  if (text.size() > line_bytes_max) message_.oddities.add(OddityKind::line_too_long, part_);
  if (text.find('\0') != std::string_view::npos) message_.oddities.add(OddityKind::nul_in_header, part_);
  if (text.find('\r') != std::string_view::npos) message_.oddities.add(OddityKind::bare_cr_in_header, part_);
}

void HeaderReader::start_field(std::size_t begin, std::size_t text_end, std::size_t next) {
  const std::string_view text = bytes_.substr(begin, text_end - begin);
  const std::size_t colon = text.find(':');
  std::size_t name_end = 0;
  // RFC 5322 section 2.2: printable ASCII
  while (name_end < text.size() && name_end != colon && static_cast<unsigned char>(text[name_end]) > 32 &&
         static_cast<unsigned char>(text[name_end]) < 127)
    ++name_end;
  std::size_t blanks_end = name_end;
  while (blanks_end < text.size() && (text[blanks_end] == ' ' || text[blanks_end] == '\t')) ++blanks_end;
  if (colon == std::string_view::npos || name_end == 0 || blanks_end != colon) {
    take_no_field(text);
    return;
  }
  const std::string_view name = text.substr(0, name_end);
  if (is_content_field(name)) {
    if (blanks_end != name_end) message_.oddities.add(OddityKind::space_before_colon, part_);
  } else if (mentions_content_field(name) && name.size() < 32) {
    const std::string letters = letters_of(name);
    if (is_content_field(letters)) message_.oddities.add(OddityKind::hidden_content_field, part_);
  }
  message_.fields.push_back({Span::between(begin, next), {begin, name_end}, Span::between(begin + colon + 1, text_end)});
  open_ = true;
}

void HeaderReader::take_no_field(std::string_view text) {
  // An mbox separator line that was kept, or quoted, by the software a message came through.
  const bool separator = part_ == 0 && (text.starts_with("From ") || text.starts_with(">From "));
  open_ = false;
  if (separator) return;
  if (mentions_content_field(text)) message_.oddities.add(OddityKind::hidden_content_field, part_);
  message_.oddities.add(part_ == 0 ? OddityKind::line_without_colon : OddityKind::part_line_without_colon, part_);
}

void HeaderReader::finish() {
  if (any_crlf_ && any_lf_) message_.oddities.add(OddityKind::mixed_line_ends_in_header, part_);
}

namespace {

// RFC 2046 section 5.1.1: bchars
bool is_boundary_character(char c) {
  constexpr std::string_view others = "'()+_,-./:=? ";
  return (c >= '0' && c <= '9') || (to_lower(c) >= 'a' && to_lower(c) <= 'z') || others.find(c) != std::string_view::npos;
}

// Seen in use and read alike by all: "#", "&", "*", "<", ">", "@", "{", "}", "~", "!", "%", "[", "]", "$", "^", "|"
bool is_boundary_in_use(char c) {
  constexpr std::string_view others = "#&*<>@{}~!%[]$^|";
  return is_boundary_character(c) || others.find(c) != std::string_view::npos;
}

class Interpreter {
 public:
  Interpreter(std::string_view bytes, Message& message, std::size_t index)
      : bytes_(bytes), message_(message), index_(index), part_(message.parts[index]) {}

  void run(std::string_view default_type) {
    part_.type = default_type;
    const auto types = all_of("content-type", OddityKind::two_content_types);
    const auto encodings = all_of("content-transfer-encoding", OddityKind::two_transfer_encodings);
    all_of("content-disposition", OddityKind::two_dispositions);
    if (encodings.size() > 1) part_.doubtful_encoding = true;
    if (!types.empty()) read_type(*types.front());
    if (!encodings.empty()) read_encoding(*encodings.front());
  }

 private:
  void odd(OddityKind kind) { message_.oddities.add(kind, index_); }

  std::vector<const Field*> all_of(std::string_view name, OddityKind differing) {
    auto found = message_.find_all(bytes_, part_, name);
    for (std::size_t i = 1; i < found.size(); ++i) {
      const bool same = equals_ignoring_case(unfold(found[i]->value.of(bytes_)), unfold(found[0]->value.of(bytes_)));
      odd(same ? OddityKind::same_field_twice : differing);
    }
    return found;
  }

  void read_type(const Field& field) {
    const std::string_view text = field.value.of(bytes_);
    const ParameterizedValue value = parse_parameters(text);
    part_.has_type = true;
    const std::size_t slash = value.value.find('/');
    const bool whole = slash != std::string::npos && slash > 0 && slash + 1 < value.value.size() &&
                       value.value.find('/', slash + 1) == std::string::npos;
    if (whole) part_.type = value.value;
    if (whole && part_.is_multipart()) {
      read_multipart(field, value);
      return;
    }
    if (whole) {
      if (value.syntax || value.control) odd(OddityKind::leaf_type_syntax);
    } else {
      odd(OddityKind::leaf_type_syntax);
      if (part_.type.empty()) part_.type = "text/plain";
    }
    if (value.control) odd(OddityKind::control_in_header);
    const std::string lower = to_lower(text.substr(0, 4096));
    // Comments and junk taken out, is it a multipart for anybody?
    if (letters_of(text).find("multipart") != std::string::npos || lower.find("multipart") != std::string::npos)
      odd(OddityKind::almost_multipart);
    if (const std::size_t at = lower.find("boundary"); at != std::string::npos) note_leaf_boundary(value, lower, at);
  }

  // A reader that takes the part for a multipart must find its boundary in the message for that to matter.
  void note_leaf_boundary(const ParameterizedValue& value, const std::string& lower, std::size_t at) {
    std::string boundary;
    if (const Parameter* parameter = value.find("boundary")) boundary = parameter->value;
    const std::string_view rest = bytes_.substr(part_.body.offset);
    const bool used = !boundary.empty() && rest.find("--" + boundary) != std::string_view::npos;
    if (used || (boundary.empty() && lower.find('=', at) != std::string::npos)) odd(OddityKind::boundary_on_leaf);
  }

  void read_multipart(const Field& field, const ParameterizedValue& value) {
    if (value.syntax) odd(OddityKind::type_syntax);
    if (value.comment) odd(OddityKind::comment_in_type);
    if (value.encoded_word) odd(OddityKind::encoded_word_in_type);
    if (value.control) odd(OddityKind::control_in_header);
    if (value.spaced_equals) odd(OddityKind::type_syntax);
    std::size_t plain = 0, extended = 0;
    const Parameter* chosen = nullptr;
    for (const Parameter& parameter : value.parameters) {
      if (parameter.name == "boundary") {
        ++plain;
        if (chosen == nullptr)
          chosen = &parameter;
        else if (parameter.value == chosen->value)
          --plain;
      } else if (parameter.name.starts_with("boundary*")) {
        ++extended;
      } else if (letters_of(parameter.name) == "boundary") {
        odd(OddityKind::odd_boundary);
      }
    }
    if (plain > 1 || (plain == 1 && extended > 0)) odd(OddityKind::two_boundaries);
    if (extended > 0) odd(OddityKind::extended_boundary);
    if (chosen != nullptr) {
      part_.boundary = chosen->value;
      if (!chosen->place.empty()) part_.boundary_span = {field.value.offset + chosen->place.offset, chosen->place.length};
    } else if (auto readings = readings_of(value, "boundary"); !readings.empty()) {
      part_.boundary = readings.front();
    }
    judge_boundary(chosen);
  }

  void judge_boundary(const Parameter* parameter) {
    std::string& boundary = part_.boundary;
    if (boundary.empty()) {
      odd(OddityKind::no_boundary);
      return;
    }
    if (boundary.size() > 70) odd(OddityKind::boundary_too_long);
    for (const char c : boundary) {
      if (!is_boundary_in_use(c)) odd(OddityKind::odd_boundary);
    }
    if (boundary.front() == ' ' || boundary.back() == ' ') odd(OddityKind::odd_boundary);
    if (parameter != nullptr &&
        (parameter->quoted ? parameter->place.empty() : boundary.find_first_of("(,\"'") != std::string::npos))
      odd(OddityKind::odd_boundary);
    // A delimiter line is compared without the blanks at its end (RFC 2046: a boundary does not end in one).
    while (!boundary.empty() && (boundary.back() == ' ' || boundary.back() == '\t')) boundary.pop_back();
    if (boundary.empty()) odd(OddityKind::no_boundary);
  }

  void read_encoding(const Field& field) {
    const std::string_view raw = field.value.of(bytes_);
    const std::string value = to_lower(trim(unfold(raw)));
    part_.encoding = exact_encoding(value);
    if (part_.encoding == Encoding::unknown) {
      part_.doubtful_encoding = true;
      part_.encoding = likely_encoding(value);
      odd(part_.encoding == Encoding::unknown ? OddityKind::unknown_transfer_encoding : OddityKind::transfer_encoding_syntax);
    }
    for (const char c : raw) {
      if (static_cast<unsigned char>(c) < 32 && c != '\t' && c != '\r' && c != '\n') odd(OddityKind::control_in_header);
    }
    if (part_.encoding == Encoding::identity || part_.encoding == Encoding::unknown) return;
    // RFC 2045 section 6.4: composite types are not encoded.
    if (part_.is_multipart()) {
      odd(OddityKind::encoded_multipart);
      part_.encoding = Encoding::identity;
    } else if (part_.is_message()) {
      odd(OddityKind::encoded_message);
    }
  }

  static Encoding exact_encoding(std::string_view value) {
    if (value == "base64") return Encoding::base64;
    if (value == "quoted-printable") return Encoding::quoted_printable;
    if (value == "x-uuencode" || value == "uuencode" || value == "x-uue" || value == "uue") return Encoding::uuencode;
    // With the slips seen in ordinary mail, which all readers take for no encoding.
    for (const std::string_view name :
         {"7bit", "8bit", "binary", "7-bit", "8-bit", "7bits", "8bits", "7 bit", "8 bit", "none", ""}) {
      if (value == name) return Encoding::identity;
    }
    return Encoding::unknown;
  }

  static Encoding likely_encoding(std::string_view value) {
    if (value.find("base64") != std::string_view::npos) return Encoding::base64;
    if (value.find("quoted-printable") != std::string_view::npos) return Encoding::quoted_printable;
    if (value.find("uu") != std::string_view::npos) return Encoding::uuencode;
    for (const std::string_view name : {"7bit", "8bit", "binary"}) {
      if (value.starts_with(name)) return Encoding::identity;
    }
    return Encoding::unknown;
  }

  std::string_view bytes_;
  Message& message_;
  std::size_t index_;
  Part& part_;
};

}  // namespace

void interpret_fields(std::string_view bytes, Message& message, std::size_t part, std::string_view default_type) {
  Interpreter(bytes, message, part).run(default_type);
}

}  // namespace mailhold::mime
