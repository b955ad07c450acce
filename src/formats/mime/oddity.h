// Oddity: a place where a message leaves the grammar, so that readers may differ about it.
// Whether it matters is a property of its kind: `matters` means that there are readers in use that
// would see other parts, another decoding or another author; the rest is only noted.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace mailhold::mime {

enum class OddityKind : std::uint8_t {
  // limits
  too_many_parts,
  too_deep,
  too_many_fields,
  line_too_long,
  // header blocks
  line_without_colon,
  part_line_without_colon,
  leading_continuation,
  blank_continuation,
  space_before_colon,
  hidden_content_field,
  control_in_header,
  nul_in_header,
  bare_cr_in_header,
  mixed_line_ends_in_header,
  header_without_end,
  content_field_in_body,
  // fields of MIME
  two_content_types,
  two_transfer_encodings,
  two_dispositions,
  same_field_twice,
  type_syntax,
  leaf_type_syntax,
  almost_multipart,
  comment_in_type,
  encoded_word_in_type,
  transfer_encoding_syntax,
  unknown_transfer_encoding,
  encoded_multipart,
  encoded_message,
  two_names,
  // boundaries
  no_boundary,
  two_boundaries,
  odd_boundary,
  extended_boundary,
  boundary_too_long,
  same_boundary_inside,
  boundary_on_leaf,
  boundary_never_seen,
  almost_delimiter,
  padded_delimiter,
  delimiter_after_close,
  no_close_delimiter,
  delimiter_in_header,
  fields_outside_parts,
  // encodings of bodies
  base64_junk,
  base64_junk_in_text,
  base64_data_after_padding,
  base64_text_after_padding,
  base64_odd_length,
  base64_short_lines,
  qp_illegal,
  qp_illegal_in_text,
  qp_padded_break,
  uuencode_in_text,
  yenc_in_text,
  binhex,
  nul_in_body,
  bare_cr_in_body,
  // authorship
  two_from,
  no_from,
  two_authors,
  from_syntax,
  two_subjects,
  two_dates,
  count,  // not a kind: how many there are
};

// "two_boundaries": stable, used as a reason code.
std::string_view name_of(OddityKind kind);
// One English sentence for an operator.
std::string_view explain(OddityKind kind);
bool matters(OddityKind kind);
bool is_limit(OddityKind kind);

struct Oddity {
  OddityKind kind;
  std::uint32_t part = 0;  // the first part it was seen in
};

// Each kind once, in the order first seen.
class Oddities {
 public:
  void add(OddityKind kind, std::size_t part);
  bool has(OddityKind kind) const;
  bool any_matters() const;
  bool any_limit() const;
  const std::vector<Oddity>& all() const { return all_; }
  bool empty() const { return all_.empty(); }

 private:
  std::vector<Oddity> all_;
  bool seen_[static_cast<std::size_t>(OddityKind::count)] = {};
};

}  // namespace mailhold::mime
