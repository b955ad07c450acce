#include "formats/url/look_alike.h"

#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/uspoof.h>

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "base/utf8.h"
#include "formats/url/host.h"

namespace mailhold::url {
namespace {

constexpr std::size_t domains_max = 1000;
constexpr std::size_t name_bytes_max = 255;
constexpr std::size_t typo_letters_min = 5;  // of shorter names too many are a letter away
constexpr std::size_t two_typos_letters_min = 10;
constexpr std::size_t any_ending_letters_min = 8;  // a misspelt long name is meant, whatever ending it has

const USpoofChecker* checker() {
  static const USpoofChecker* const instance = [] {
    UErrorCode status = U_ZERO_ERROR;
    USpoofChecker* made = uspoof_open(&status);
    if (U_FAILURE(status)) return static_cast<USpoofChecker*>(nullptr);
    uspoof_setRestrictionLevel(made, USPOOF_HIGHLY_RESTRICTIVE);
    uspoof_setChecks(made, USPOOF_RESTRICTION_LEVEL, &status);
    return made;
  }();
  return instance;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string uts39_skeleton(std::string_view utf8) {
  if (checker() == nullptr) return std::string(utf8);
  std::string out(utf8.size() * 8 + 64, '\0');
  UErrorCode status = U_ZERO_ERROR;
  const std::int32_t length = uspoof_getSkeletonUTF8(checker(), 0, utf8.data(), static_cast<std::int32_t>(utf8.size()),
                                                     out.data(), static_cast<std::int32_t>(out.size()), &status);
  if (U_FAILURE(status) || length < 0 || static_cast<std::size_t>(length) > out.size()) return std::string(utf8);
  out.resize(static_cast<std::size_t>(length));
  return out;
}

std::string without_accents(std::string_view utf8) {
  std::string out;
  for (std::size_t position = 0; position < utf8.size();) {
    const char32_t c = next_code_point(utf8, position);
    const int type = u_charType(static_cast<UChar32>(c));
    if (type != U_NON_SPACING_MARK && type != U_ENCLOSING_MARK)
      append_utf8(out, static_cast<char32_t>(u_tolower(static_cast<UChar32>(c))));
  }
  return out;
}

// Pairs that UTS 39 leaves apart or folds in one direction only.
std::string fold_ascii_pairs(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view pair = text.substr(i, 2);
    if (pair == "vv") {
      out += 'w';
      ++i;
    } else if (pair == "cl") {
      out += 'd';
      ++i;
    } else if (text[i] == '5') {
      out += 's';
    } else if (text[i] == 'i') {
      out += 'l';
    } else {
      out += text[i];
    }
  }
  return out;
}

// Optimal string alignment distance: a swap of neighbours counts one. Gives `limit` + 1 for anything above.
std::size_t distance(std::string_view a, std::string_view b, std::size_t limit) {
  if (a.size() > b.size() + limit || b.size() > a.size() + limit) return limit + 1;
  std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last.swap(last);
    last.swap(row);
  }
  return std::min(last[b.size()], limit + 1);
}

std::string without_final_dot(std::string_view host) {
  return to_lower(host.ends_with('.') ? host.substr(0, host.size() - 1) : host);
}

std::string with_dots_for_hyphens(std::string text) {
  std::replace(text.begin(), text.end(), '-', '.');
  return text;
}

// The last `count` labels.
std::string_view ending(std::string_view name, std::size_t count) {
  std::size_t begin = name.size();
  for (; count > 0 && begin != std::string_view::npos && begin > 0; --count) begin = name.rfind('.', begin - 1);
  return begin == std::string_view::npos ? name : name.substr(begin + (begin < name.size() && name[begin] == '.' ? 1 : 0));
}

std::string_view after_first_label(std::string_view name) {
  const std::size_t dot = name.find('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
}

std::string_view first_label(std::string_view name) { return name.substr(0, name.find('.')); }

// "example.co.uk" is a name with an ending; of "mail.example.com" the first label says nothing.
bool is_registrable_like(std::string_view domain) {
  const std::vector<std::string_view> labels = split(domain, '.');
  return labels.size() == 2 || (labels.size() == 3 && labels[1].size() <= 3);
}

// ".co" and ".cm" for ".com": a letter lost, doubled or swapped, not replaced: ".dk" is no slip for ".de".
bool is_slip(std::string_view written, std::string_view meant) {
  if (meant.size() < 3 || distance(written, meant, 1) != 1) return false;
  return written.size() != meant.size() || std::is_permutation(meant.begin(), meant.end(), written.begin());
}

bool is_typo(std::string_view host, std::string_view domain, std::size_t label_count) {
  const std::string_view name = first_label(domain);
  const std::string_view rest = after_first_label(domain);
  if (name.size() < typo_letters_min || !is_registrable_like(domain)) return false;
  const std::size_t limit = name.size() >= two_typos_letters_min ? 2 : 1;
  const std::string_view tail = ending(host, label_count);
  if (after_first_label(tail) == rest && distance(first_label(tail), name, limit) <= limit) return true;
  if (first_label(tail) == name && is_slip(after_first_label(tail), rest)) return true;
  if (name.size() < any_ending_letters_min || host.find('.') == std::string_view::npos) return false;
  const std::string_view short_name = first_label(ending(host, 2));
  return short_name != name && distance(short_name, name, limit) <= limit;
}

bool is_part_boundary(std::string_view text, std::size_t position) {
  return position == 0 || position >= text.size() || text[position] == '.' || text[position] == '-' ||
         text[position - 1] == '.' || text[position - 1] == '-';
}

// Whether `part` stands in `text` between dots, hyphens or ends.
bool holds_part(std::string_view text, std::string_view part) {
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) {
    if (is_part_boundary(text, at) && is_part_boundary(text, at + part.size())) return true;
  }
  return false;
}

bool has_latin_or_ascii_letter(std::string_view utf8) {
  for (std::size_t position = 0; position < utf8.size();) {
    UErrorCode status = U_ZERO_ERROR;
    const char32_t c = next_code_point(utf8, position);
    if (uscript_getScript(static_cast<UChar32>(c), &status) == USCRIPT_LATIN) return true;
  }
  return false;
}

}  // namespace

std::string skeleton(std::string_view utf8) {
  // Twice: lower case may give letters that the first folding has not seen ("0" folds to "O").
  return fold_ascii_pairs(without_accents(uts39_skeleton(without_accents(uts39_skeleton(utf8)))));
}

OwnDomains::OwnDomains(std::span<const std::string> domains) {
  for (const std::string& given : domains.first(std::min(domains.size(), domains_max))) {
    Domain domain;
    domain.ascii = without_final_dot(given);
    const std::vector<std::string_view> labels = split(domain.ascii, '.');
    const bool has_empty_label = std::find(labels.begin(), labels.end(), "") != labels.end();
    if (labels.size() < 2 || has_empty_label || domain.ascii.size() > name_bytes_max) continue;
    domain.label_count = labels.size();
    domain.look = skeleton(to_unicode(domain.ascii));
    domain.look_dotted = with_dots_for_hyphens(domain.look);
    domains_.push_back(std::move(domain));
  }
}

bool OwnDomains::contains(std::string_view domain) const {
  return std::any_of(domains_.begin(), domains_.end(), [domain](const Domain& own) { return own.ascii == domain; });
}

Resemblance OwnDomains::resembled_by(std::string_view host) const {
  if (host.empty() || host.size() > name_bytes_max) return {};
  const auto holds_host = [host](const Domain& own) { return is_within(host, own.ascii); };
  if (std::any_of(domains_.begin(), domains_.end(), holds_host)) return {};
  const std::string ascii = without_final_dot(host);
  const std::string look = skeleton(to_unicode(ascii));
  const std::string look_dotted = with_dots_for_hyphens(look);
  for (const Domain& own : domains_) {
    if (ending(look, own.label_count) == own.look) return {LookAlike::homograph, own.ascii};
    if (ascii.size() > own.ascii.size() && holds_part(look_dotted, own.look_dotted)) return {LookAlike::embedded, own.ascii};
    if (is_typo(ascii, own.ascii, own.label_count)) return {LookAlike::typo, own.ascii};
  }
  return {};
}

bool is_disguised(std::string_view host) {
  if (checker() == nullptr || host.size() > name_bytes_max) return false;
  const std::string unicode = to_unicode(host);
  for (std::string_view label : split(unicode, '.')) {
    if (is_ascii(label)) continue;
    UErrorCode status = U_ZERO_ERROR;
    const std::int32_t failed =
        uspoof_check2UTF8(checker(), label.data(), static_cast<std::int32_t>(label.size()), nullptr, &status);
    if (U_FAILURE(status) || failed != 0) return true;
    if (!has_latin_or_ascii_letter(label) && is_ascii(uts39_skeleton(label))) return true;
  }
  return false;
}

}  // namespace mailhold::url
