#include "formats/html/html_links.h"

#include <algorithm>

#include "base/text.h"
#include "base/utf8.h"
#include "formats/html/link_target.h"
#include "formats/html/named_references.h"
#include "formats/html/tokenizer.h"

namespace mailhold::html {
namespace {

// A link before the document's base is known.
struct Candidate {
  std::size_t offset = 0;
  std::size_t length = 0;
  char quote = 0;
  std::string value;  // decoded and cleaned
};

struct Candidates {
  std::vector<Candidate> found;
  std::optional<std::string> base;  // the first <base href> counts
  bool readings_differ = false;
  bool truncated = false;
};

std::string decoded_utf8(std::string_view source) {
  return is_utf8(source) ? decode_attribute(source) : decode_attribute(utf8_from_latin1(source));
}

// Elements whose href is fetched for display or that have another meaning for it; nobody clicks there.
bool href_is_not_clicked(std::string_view element) {
  constexpr std::string_view names[] = {"link",  "base",           "image",          "use",     "feimage", "script", "textpath",
                                        "mpath", "lineargradient", "radialgradient", "pattern", "filter"};
  return std::any_of(std::begin(names), std::end(names),
                     [&](std::string_view name) { return equals_ignoring_case(element, name); });
}

bool is_link_attribute(std::string_view element, std::string_view attribute) {
  if (equals_ignoring_case(attribute, "href") || equals_ignoring_case(attribute, "xlink:href"))
    return !href_is_not_clicked(element);
  return equals_ignoring_case(attribute, "action") || equals_ignoring_case(attribute, "formaction");
}

class Collector {
 public:
  Collector(std::string_view html, Reading reading) : html_(html), tokenizer_(html, reading) {}

  Candidates collect() {
    Tag tag;
    while (tokenizer_.next(tag)) {
      if (tag.is_end) continue;
      if (equals_ignoring_case(tag.name, "base")) note_base(tag);
      const bool refreshes = is_refresh(tag);
      for (const Attribute& attribute : tag.attributes) {
        if (is_link_attribute(tag.name, attribute.name)) add(attribute);
        if (refreshes && equals_ignoring_case(attribute.name, "content")) add_refresh(attribute);
      }
    }
    result_.readings_differ = tokenizer_.readings_differ();
    return std::move(result_);
  }

 private:
  std::string_view source(const Attribute& attribute) const {
    return html_.substr(attribute.value_offset, attribute.value_length);
  }

  void note_base(const Tag& tag) {
    if (result_.base) return;
    for (const Attribute& attribute : tag.attributes) {
      if (!equals_ignoring_case(attribute.name, "href")) continue;
      result_.base = web_target(clean_url(decoded_utf8(source(attribute))), {});
      return;
    }
  }

  void add(const Attribute& attribute) {
    keep({attribute.value_offset, attribute.value_length, attribute.quote, clean_url(decoded_utf8(source(attribute)))});
  }

  bool is_refresh(const Tag& tag) const {
    return equals_ignoring_case(tag.name, "meta") &&
           std::any_of(tag.attributes.begin(), tag.attributes.end(), [this](const Attribute& attribute) {
             return equals_ignoring_case(attribute.name, "http-equiv") &&
                    equals_ignoring_case(decode_attribute(source(attribute)), "refresh");
           });
  }

  void add_refresh(const Attribute& attribute) {
    std::vector<std::size_t> origins;
    const std::string content = decode_attribute(source(attribute), &origins);
    const std::optional<ContentSpan> span = refresh_url(content);
    if (!span) return;
    const std::size_t begin = origins[span->begin];
    const std::size_t length = origins[span->end] - begin;
    keep({attribute.value_offset + begin, length, attribute.quote,
          clean_url(decoded_utf8(source(attribute).substr(begin, length)))});
  }

  void keep(Candidate candidate) {
    if (result_.found.size() >= links_max) {
      result_.truncated = true;
      return;
    }
    result_.found.push_back(std::move(candidate));
  }

  std::string_view html_;
  Tokenizer tokenizer_;
  Candidates result_;
};

// Adds what the other reading found elsewhere. True when it found anything that was not known.
bool merge(std::vector<Candidate>& known, std::vector<Candidate> others) {
  const std::size_t before = known.size();
  std::vector<Candidate> all;
  all.reserve(before + others.size());
  std::merge(std::make_move_iterator(known.begin()), std::make_move_iterator(known.end()),
             std::make_move_iterator(others.begin()), std::make_move_iterator(others.end()), std::back_inserter(all),
             [](const Candidate& a, const Candidate& b) { return a.offset < b.offset; });
  bool changed = false;
  known.clear();
  for (Candidate& candidate : all) {
    const bool overlaps =
        !known.empty() && candidate.offset < known.back().offset + std::max<std::size_t>(known.back().length, 1);
    const bool same = overlaps && candidate.offset == known.back().offset && candidate.length == known.back().length;
    if (overlaps && !same) changed = true;
    if (!overlaps) known.push_back(std::move(candidate));
  }
  return changed || known.size() != before;
}

}  // namespace

HtmlLinks find_links(std::string_view html) {
  HtmlLinks result;
  Candidates candidates = Collector(html, Reading::plain).collect();
  result.truncated = candidates.truncated;
  if (candidates.readings_differ) {
    for (Reading reading : {Reading::foreign, Reading::no_raw}) {
      Candidates others = Collector(html, reading).collect();
      if (!candidates.base) candidates.base = std::move(others.base);
      result.truncated = result.truncated || others.truncated;
      result.ambiguous = merge(candidates.found, std::move(others.found)) || result.ambiguous;
    }
  }
  const std::string base = candidates.base.value_or("");
  for (Candidate& candidate : candidates.found) {
    std::optional<std::string> url = web_target(candidate.value, base);
    if (!url) continue;
    if (result.links.size() >= links_max) {
      result.truncated = true;
      break;
    }
    result.links.push_back({candidate.offset, candidate.length, candidate.quote, std::move(*url)});
  }
  return result;
}

std::string escape_for_attribute(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '`': out += "&#96;"; break;
      case '=': out += "&#61;"; break;
      case ' ':
      case '\t':
      case '\n':
      case '\r':
      case '\f':
      case '\v': out += "&#" + std::to_string(static_cast<unsigned char>(c)) + ";"; break;
      default: out.push_back(c);
    }
  }
  return out;
}

}  // namespace mailhold::html
