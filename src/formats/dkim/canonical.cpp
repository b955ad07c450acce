#include "formats/dkim/canonical.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.h"
#include "platform/crypto/hash.h"

namespace mailhold::dkim {
namespace {

bool is_blank(char letter) { return letter == ' ' || letter == '\t'; }

// Collects small pieces, so that the hash is fed a few kilobytes at a time, and stops at the limit.
class HashSink {
 public:
  explicit HashSink(std::optional<std::uint64_t> bytes_max) : left_(bytes_max.value_or(UINT64_MAX)) {}

  void put(char letter) {
    if (used_ == block_.size()) flush();
    block_[used_++] = letter;
  }
  void put(std::string_view bytes) {
    while (!bytes.empty()) {
      if (used_ == block_.size()) flush();
      const std::size_t count = std::min(bytes.size(), block_.size() - used_);
      std::memcpy(block_.data() + used_, bytes.data(), count);
      used_ += count;
      bytes.remove_prefix(count);
    }
  }
  // Straight from where it lies.
  void put_large(std::string_view bytes) {
    flush();
    take(bytes);
  }
  BodyHash finish() {
    flush();
    return {hash_.finish(), total_};
  }

 private:
  void flush() {
    take({block_.data(), used_});
    used_ = 0;
  }
  void take(std::string_view bytes) {
    total_ += bytes.size();
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
    if (count > 0) hash_.update(bytes.substr(0, count));
    left_ -= count;
  }

  crypto::Sha256 hash_;
  std::uint64_t left_;
  std::uint64_t total_ = 0;
  std::array<char, 4096> block_;
  std::size_t used_ = 0;
};

void put_simple_body(std::string_view body, HashSink& sink) {  // section 3.4.3
  while (body.ends_with("\r\n\r\n")) body.remove_suffix(2);
  if (body == "\r\n") body = {};
  sink.put_large(body);
  if (!body.ends_with("\r\n")) sink.put("\r\n");
}

// One line without its CRLF: blanks become one space each, none at the end. `empty_lines` that were held back come first.
void put_relaxed_line(std::string_view line, std::size_t& empty_lines, HashSink& sink) {
  while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
  if (line.empty()) {
    ++empty_lines;
    return;
  }
  for (; empty_lines > 0; --empty_lines) sink.put("\r\n");
  std::size_t start = 0;
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (!is_blank(line[at])) continue;
    sink.put(line.substr(start, at - start));
    sink.put(' ');
    while (is_blank(line[at + 1])) ++at;  // the last byte is no blank
    start = at + 1;
  }
  sink.put(line.substr(start));
  sink.put("\r\n");
}

void put_relaxed_body(std::string_view body, HashSink& sink) {  // section 3.4.4
  std::size_t empty_lines = 0;
  std::size_t line_start = 0;
  std::size_t search_from = 0;
  for (;;) {
    const std::size_t end = body.find('\r', search_from);
    if (end == std::string_view::npos) break;
    search_from = end + 1;
    if (search_from == body.size() || body[search_from] != '\n') continue;  // a lone CR is a byte like any other
    put_relaxed_line(body.substr(line_start, end - line_start), empty_lines, sink);
    line_start = search_from = end + 2;
  }
  put_relaxed_line(body.substr(line_start), empty_lines, sink);
}

void append_relaxed_value(std::string_view value, std::string& canonical) {
  const std::size_t start = canonical.size();
  bool blank_before = false;
  for (std::size_t at = 0; at < value.size(); ++at) {
    const char letter = value[at];
    const bool is_line_end = letter == '\n' || (letter == '\r' && at + 1 < value.size() && value[at + 1] == '\n');
    if (is_line_end) continue;
    if (is_blank(letter)) {
      blank_before = true;
      continue;
    }
    if (blank_before && canonical.size() > start) canonical += ' ';
    blank_before = false;
    canonical += letter;
  }
}

void append_relaxed_field(std::string_view field, std::string& canonical) {  // section 3.4.2
  const std::size_t colon = std::min(field.find(':'), field.size());
  std::string_view name = field.substr(0, colon);
  while (!name.empty() && is_blank(name.back())) name.remove_suffix(1);
  canonical += to_lower(name);
  canonical += ':';
  append_relaxed_value(field.substr(std::min(colon + 1, field.size())), canonical);
}

}  // namespace

BodyHash hash_body(std::string_view body, Canonical form, std::optional<std::uint64_t> bytes_max) {
  HashSink sink(bytes_max);
  if (form == Canonical::simple)
    put_simple_body(body, sink);
  else
    put_relaxed_body(body, sink);
  return sink.finish();
}

void append_field(std::string_view whole_field, Canonical form, std::string& canonical) {
  if (form == Canonical::simple)
    canonical += whole_field;
  else
    append_relaxed_field(whole_field, canonical);
  canonical += "\r\n";
}

std::string signed_header(const MessageView& message, const std::vector<std::string>& field_names, Canonical form,
                          std::string_view signature_field, std::string_view raw_b) {
  std::string canonical;
  std::vector<bool> is_used(message.fields.size());
  for (const std::string& name : field_names) {
    for (std::size_t index = message.fields.size(); index-- > 0;) {
      if (is_used[index] || !equals_ignoring_case(message.fields[index].name, name)) continue;
      is_used[index] = true;
      append_field(message.fields[index].whole, form, canonical);
      break;
    }
  }
  std::string own(signature_field);
  if (!raw_b.empty()) own.erase(static_cast<std::size_t>(raw_b.data() - signature_field.data()), raw_b.size());
  append_field(own, form, canonical);
  canonical.resize(canonical.size() - 2);
  return canonical;
}

}  // namespace mailhold::dkim
