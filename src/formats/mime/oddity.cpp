#include "formats/mime/oddity.h"

#include <array>

namespace mailhold::mime {
namespace {

enum class Weight : std::uint8_t { note, matters, limit };

struct Row {
  OddityKind kind;
  std::string_view name;
  Weight weight;
  std::string_view text;
};

using enum OddityKind;
constexpr Weight note = Weight::note, matters_ = Weight::matters, limit = Weight::limit;

constexpr Row rows[] = {
    {too_many_parts, "too_many_parts", limit, "The message has more parts than are looked at."},
    {too_deep, "too_deep", limit, "Parts are nested deeper than is looked at."},
    {too_many_fields, "too_many_fields", limit, "There are more header fields than are looked at."},
    {line_too_long, "line_too_long", note, "A header line is longer than the 998 bytes of RFC 5322."},
    {line_without_colon, "line_without_colon", note, "A header line is not a field."},
    {part_line_without_colon, "part_line_without_colon", matters_,
     "A line in the header of a part is not a field: the header may end there."},
    {leading_continuation, "leading_continuation", matters_, "A header begins with a folded line that continues nothing."},
    {blank_continuation, "blank_continuation", matters_, "A header has a line of blanks only, which may end it."},
    {space_before_colon, "space_before_colon", matters_, "A MIME field has a blank before its colon."},
    {hidden_content_field, "hidden_content_field", matters_, "A MIME field is disguised by stray characters."},
    {control_in_header, "control_in_header", matters_, "A MIME field has a control character."},
    {nul_in_header, "nul_in_header", matters_, "A header has a NUL character."},
    {bare_cr_in_header, "bare_cr_in_header", matters_, "A header has a CR without LF, which may end a line."},
    {mixed_line_ends_in_header, "mixed_line_ends_in_header", matters_,
     "A header has lines that end in CRLF and lines that end in LF."},
    {header_without_end, "header_without_end", note, "A part ends within its header."},
    {content_field_in_body, "content_field_in_body", matters_, "A part begins with MIME fields behind an empty line."},
    {two_content_types, "two_content_types", matters_, "There are two differing Content-Type fields."},
    {two_transfer_encodings, "two_transfer_encodings", matters_, "There are two differing Content-Transfer-Encoding fields."},
    {two_dispositions, "two_dispositions", note, "There are two differing Content-Disposition fields."},
    {same_field_twice, "same_field_twice", note, "A MIME field is repeated."},
    {type_syntax, "type_syntax", matters_, "The Content-Type of a multipart is malformed."},
    {leaf_type_syntax, "leaf_type_syntax", note, "The Content-Type of a part is malformed."},
    {almost_multipart, "almost_multipart", matters_, "A Content-Type is nearly that of a multipart."},
    {comment_in_type, "comment_in_type", matters_, "The Content-Type of a multipart has a comment."},
    {encoded_word_in_type, "encoded_word_in_type", matters_, "The Content-Type of a multipart has an encoded word."},
    {transfer_encoding_syntax, "transfer_encoding_syntax", matters_, "A Content-Transfer-Encoding is malformed."},
    {unknown_transfer_encoding, "unknown_transfer_encoding", matters_, "A Content-Transfer-Encoding is unknown."},
    {encoded_multipart, "encoded_multipart", matters_, "A multipart has a Content-Transfer-Encoding, which RFC 2045 forbids."},
    {encoded_message, "encoded_message", note, "An attached message is encoded, which RFC 2046 forbids."},
    {two_names, "two_names", note, "An attachment has two names."},
    {no_boundary, "no_boundary", matters_, "A multipart has no boundary."},
    {two_boundaries, "two_boundaries", matters_, "A multipart states two boundaries."},
    {odd_boundary, "odd_boundary", matters_, "A boundary has characters or quoting that readers treat differently."},
    {extended_boundary, "extended_boundary", matters_, "A boundary is given as an RFC 2231 parameter."},
    {boundary_too_long, "boundary_too_long", note, "A boundary is longer than 70 characters."},
    {same_boundary_inside, "same_boundary_inside", matters_, "A multipart repeats the boundary of one that contains it."},
    {boundary_on_leaf, "boundary_on_leaf", matters_, "A part that is no multipart has a boundary, and it occurs in its body."},
    {boundary_never_seen, "boundary_never_seen", matters_, "The boundary of a multipart does not occur in it."},
    {almost_delimiter, "almost_delimiter", matters_, "A line is nearly a delimiter: readers may split there."},
    {padded_delimiter, "padded_delimiter", note, "A delimiter is followed by blanks."},
    {delimiter_after_close, "delimiter_after_close", matters_, "A delimiter follows the last delimiter of its multipart."},
    {no_close_delimiter, "no_close_delimiter", note, "A multipart has no closing delimiter."},
    {delimiter_in_header, "delimiter_in_header", note, "A delimiter interrupts a header."},
    {fields_outside_parts, "fields_outside_parts", matters_,
     "MIME fields stand before the first or after the last part of a multipart."},
    {base64_junk, "base64_junk", matters_, "A base64 attachment has bytes outside the alphabet."},
    {base64_junk_in_text, "base64_junk_in_text", note, "A base64 text has bytes outside the alphabet."},
    {base64_data_after_padding, "base64_data_after_padding", matters_, "A base64 attachment goes on behind its padding."},
    {base64_text_after_padding, "base64_text_after_padding", note, "A base64 text goes on behind its padding."},
    {base64_odd_length, "base64_odd_length", note, "Base64 data is cut short or wrongly padded."},
    {base64_short_lines, "base64_short_lines", note, "Base64 groups are broken across lines."},
    {qp_illegal, "qp_illegal", matters_, "A quoted-printable attachment has illegal escapes."},
    {qp_illegal_in_text, "qp_illegal_in_text", note, "A quoted-printable text has illegal escapes."},
    {qp_padded_break, "qp_padded_break", note, "A soft line break of quoted-printable is followed by blanks."},
    {uuencode_in_text, "uuencode_in_text", note, "A text has a uuencoded file."},
    {yenc_in_text, "yenc_in_text", matters_, "A text has a yEnc file."},
    {binhex, "binhex", matters_, "A part is a BinHex file."},
    {nul_in_body, "nul_in_body", note, "A text has NUL characters."},
    {bare_cr_in_body, "bare_cr_in_body", note, "A text has CR without LF."},
    {two_from, "two_from", matters_, "There are two From fields: readers may show either author."},
    {no_from, "no_from", note, "There is no From field."},
    {two_authors, "two_authors", note, "The From field names several addresses."},
    {from_syntax, "from_syntax", matters_, "The From field can be read as different addresses."},
    {two_subjects, "two_subjects", note, "There are two Subject fields."},
    {two_dates, "two_dates", note, "There are two Date fields."},
};

constexpr std::size_t kinds = static_cast<std::size_t>(OddityKind::count);
static_assert(std::size(rows) == kinds);

constexpr auto index_of_rows() {
  std::array<std::size_t, kinds> index{};
  for (std::size_t i = 0; i < kinds; ++i) index[static_cast<std::size_t>(rows[i].kind)] = i;
  return index;
}
constexpr auto row_index = index_of_rows();

const Row& row_of(OddityKind kind) { return rows[row_index[static_cast<std::size_t>(kind) % kinds]]; }

}  // namespace

std::string_view name_of(OddityKind kind) { return row_of(kind).name; }
std::string_view explain(OddityKind kind) { return row_of(kind).text; }
bool matters(OddityKind kind) { return row_of(kind).weight == Weight::matters; }
bool is_limit(OddityKind kind) { return row_of(kind).weight == Weight::limit; }

void Oddities::add(OddityKind kind, std::size_t part) {
  bool& seen = seen_[static_cast<std::size_t>(kind) % kinds];
  if (seen) return;
  seen = true;
  all_.push_back({kind, static_cast<std::uint32_t>(part)});
}

bool Oddities::has(OddityKind kind) const { return seen_[static_cast<std::size_t>(kind) % kinds]; }

bool Oddities::any_matters() const {
  for (const Oddity& oddity : all_) {
    if (matters(oddity.kind)) return true;
  }
  return false;
}

bool Oddities::any_limit() const {
  for (const Oddity& oddity : all_) {
    if (is_limit(oddity.kind)) return true;
  }
  return false;
}

}  // namespace mailhold::mime
