#include "formats/html/tokenizer.h"

#include <algorithm>

#include "base/text.h"

namespace mailhold::html {
namespace {

constexpr auto none = std::string_view::npos;
constexpr std::size_t foreign_depth_max = 64;  // deeper ones are not followed, so that following stays cheap

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool ends_tag_name(char c) { return is_space(c) || c == '/' || c == '>'; }

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  for (std::string_view candidate : names) {
    if (equals_ignoring_case(name, candidate)) return true;
  }
  return false;
}

// Start tags that leave svg and math, HTML Standard 13.2.6.5.
bool breaks_out(std::string_view name) {
  return is_one_of(name, {"b",     "big",   "blockquote", "body",   "br",   "center", "code",  "dd", "div",  "dl",   "dt",
                          "em",    "embed", "h1",         "h2",     "h3",   "h4",     "h5",    "h6", "head", "hr",   "i",
                          "img",   "li",    "listing",    "menu",   "meta", "nobr",   "ol",    "p",  "pre",  "ruby", "s",
                          "small", "span",  "strong",     "strike", "sub",  "sup",    "table", "tt", "u",    "ul",   "var"});
}

bool is_integration_point(std::string_view name) {
  return is_one_of(name, {"foreignobject", "desc", "title", "mi", "mo", "mn", "ms", "mtext", "annotation-xml"});
}

}  // namespace

bool Tokenizer::next(Tag& tag) {
  texts_.clear();
  for (;;) {
    const std::size_t open = position_ < end_ ? find_within("<", position_) : none;
    if (const std::size_t text_end = std::min(open, end_); text_end > position_)
      texts_.push_back(html_.substr(position_, text_end - position_));
    if (open == none) {
      if (!in_conditional_) return false;
      in_conditional_ = false;
      position_ = outer_end_;
      end_ = outer_limit_;
      continue;
    }
    position_ = open + 1;
    if (position_ >= end_) continue;
    const char c = html_[position_];
    if (is_letter(c)) {
      tag.is_end = false;
      if (read_tag(tag)) return true;
    } else if (c == '/' && position_ + 1 < end_ && is_letter(html_[position_ + 1])) {
      ++position_;
      tag.is_end = true;
      if (read_tag(tag)) return true;
    } else if (c == '/' && position_ + 1 < end_) {
      skip_to('>');  // "</>" is nothing, "</ x>" a bogus comment
    } else if (c == '?') {
      skip_to('>');
    } else if (c == '!') {
      ++position_;
      skip_markup_declaration();
    }
  }
}

// At the first letter of the name. False when the text ends inside the tag: browsers drop it.
bool Tokenizer::read_tag(Tag& tag) {
  const std::size_t name = position_;
  while (position_ < end_ && !ends_tag_name(html_[position_])) ++position_;
  tag.name = html_.substr(name, position_ - name);
  tag.self_closing = false;
  tag.attributes.clear();
  while (position_ < end_ && html_[position_] != '>') {
    if (is_space(html_[position_])) {
      ++position_;
    } else if (html_[position_] == '/') {
      ++position_;
      tag.self_closing = position_ < end_ && html_[position_] == '>';
    } else {
      read_attribute(tag);
    }
  }
  if (position_ >= end_) return false;
  ++position_;
  if (tag.is_end) tag.attributes.clear();
  const Raw raw = raw_text_of(tag);
  follow_tree(tag);
  switch (raw) {
    case Raw::no: break;
    case Raw::to_end_tag: skip_raw_text(tag.name); break;
    case Raw::script: skip_script(); break;
    case Raw::all: position_ = end_; break;
  }
  return true;
}

void Tokenizer::read_attribute(Tag& tag) {
  const std::size_t name = position_;
  ++position_;  // a leading '=' belongs to the name
  while (position_ < end_ && !ends_tag_name(html_[position_]) && html_[position_] != '=') ++position_;
  Attribute attribute;
  attribute.name = html_.substr(name, position_ - name);
  std::size_t equals = position_;
  while (equals < end_ && is_space(html_[equals])) ++equals;
  position_ = equals;
  if (equals >= end_ || html_[equals] != '=') return;
  ++position_;
  while (position_ < end_ && is_space(html_[position_])) ++position_;
  if (position_ >= end_ || html_[position_] == '>') return;
  if (html_[position_] == '"' || html_[position_] == '\'') {
    attribute.quote = html_[position_++];
    attribute.value_offset = position_;
    skip_to(attribute.quote);
    attribute.value_length = position_ - 1 - attribute.value_offset;  // without a closing quote the tag is dropped anyway
  } else {
    attribute.value_offset = position_;
    while (position_ < end_ && !is_space(html_[position_]) && html_[position_] != '>') ++position_;
    attribute.value_length = position_ - attribute.value_offset;
  }
  tag.attributes.push_back(attribute);
}

// Behind "<!".
void Tokenizer::skip_markup_declaration() {
  const std::string_view rest = html_.substr(position_, end_ - position_);
  if (rest.starts_with("--")) return skip_comment();
  if (rest.starts_with("[CDATA[") && in_foreign()) {
    const std::size_t close = find_within("]]>", position_);
    position_ = close == none ? end_ : close + 3;
    return;
  }
  skip_to('>');  // DOCTYPE, "<![if !mso]>", CDATA outside svg and math
}

// At the "--" of "<!--". The inside of a conditional comment is read as HTML: Word and Outlook do.
void Tokenizer::skip_comment() {
  const std::size_t content = position_ + 2;
  std::size_t condition = content;
  while (condition < end_ && is_space(html_[condition])) ++condition;
  const bool is_conditional = starts_with_ignoring_case(html_.substr(condition, end_ - condition), "[if");
  if (is_conditional && in_conditional_) {
    position_ = condition;  // taken as open tags and text: comments do not nest, and this stays linear
    return;
  }
  const std::size_t close = comment_end(content);
  if (!is_conditional) {
    position_ = close;
    return;
  }
  in_conditional_ = true;
  outer_end_ = close;
  outer_limit_ = end_;
  end_ = close;
  position_ = condition;
  skip_to('>');
}

// Where the comment whose content begins there is over; the end of the text if nothing closes it.
std::size_t Tokenizer::comment_end(std::size_t content) const {
  const std::string_view rest = html_.substr(content, end_ - content);
  if (rest.starts_with(">")) return content + 1;
  if (rest.starts_with("->")) return content + 2;
  for (std::size_t dashes = find_within("--", content); dashes != none; dashes = find_within("--", dashes + 1)) {
    const std::string_view after = html_.substr(dashes + 2, end_ - dashes - 2);
    if (after.starts_with(">")) return dashes + 3;
    if (after.starts_with("!>")) return dashes + 4;
  }
  return end_;
}

// Goes on at the end tag of this name; to the end if there is none.
void Tokenizer::skip_raw_text(std::string_view name) {
  for (std::size_t close = find_within("</", position_); close != none; close = find_within("</", close + 2)) {
    if (at_tag_name(close + 2, name)) {
      position_ = close;
      return;
    }
  }
  position_ = end_;
}

// Script data with its escaped and double escaped states, HTML Standard 13.2.5.4 and 13.2.5.18 to 13.2.5.31.
void Tokenizer::skip_script() {
  enum class State { data, escaped, double_escaped } state = State::data;
  std::size_t p = position_;
  while (p < end_) {
    const std::string_view rest = html_.substr(p, end_ - p);
    if (state == State::data && rest.starts_with("<!--")) {
      state = State::escaped;
      p += 2;  // the dashes may already be those of "-->"
    } else if (state != State::data && rest.starts_with("-->")) {
      state = State::data;
      p += 3;
    } else if (state == State::escaped && rest.starts_with("<") && at_tag_name(p + 1, "script")) {
      state = State::double_escaped;
      p += 7;
    } else if (rest.starts_with("</") && at_tag_name(p + 2, "script")) {
      if (state != State::double_escaped) {
        position_ = p;
        return;
      }
      state = State::escaped;
      p += 8;
    } else {
      ++p;
    }
  }
  position_ = end_;
}

// Behind the next `c`; to the end if there is none.
void Tokenizer::skip_to(char c) {
  const std::size_t found = find_within(std::string_view(&c, 1), position_);
  position_ = found == none ? end_ : found + 1;
}

Tokenizer::Raw Tokenizer::raw_text_of(const Tag& tag) {
  if (tag.is_end) return Raw::no;
  const bool is_script = equals_ignoring_case(tag.name, "script");
  const bool is_style = equals_ignoring_case(tag.name, "style");
  const bool is_text = is_one_of(tag.name, {"title", "textarea"});
  const bool is_fallback = is_one_of(tag.name, {"xmp", "iframe", "noembed", "noframes"});
  const bool is_plaintext = equals_ignoring_case(tag.name, "plaintext");
  if (is_fallback || is_plaintext || is_one_of(tag.name, {"svg", "math", "select", "frameset"})) readings_differ_ = true;
  if (in_foreign()) return Raw::no;
  if (is_script) return Raw::script;
  if (reading_ == Reading::no_raw) return Raw::no;
  if (in_select_ && !equals_ignoring_case(tag.name, "textarea")) return Raw::no;
  if (is_style || is_text || is_fallback) return Raw::to_end_tag;
  return is_plaintext ? Raw::all : Raw::no;
}

// Keeps account of svg, math and select as far as they decide about raw text.
void Tokenizer::follow_tree(const Tag& tag) {
  if (reading_ != Reading::foreign) return;
  if (equals_ignoring_case(tag.name, "select")) in_select_ = !tag.is_end && !in_select_;
  if (in_select_ && is_one_of(tag.name, {"input", "keygen", "textarea"})) in_select_ = false;
  if (tag.is_end) {
    for (std::size_t depth = foreign_.size(); depth > 0; --depth) {
      if (!equals_ignoring_case(foreign_[depth - 1], tag.name)) continue;
      foreign_.resize(depth - 1);
      return;
    }
    return;
  }
  const bool enters = is_one_of(tag.name, {"svg", "math"});
  if (in_foreign() && breaks_out(tag.name)) {
    while (in_foreign()) foreign_.pop_back();
  } else if ((enters || in_foreign()) && !tag.self_closing && foreign_.size() < foreign_depth_max) {
    foreign_.push_back(tag.name);
  }
}

bool Tokenizer::in_foreign() const { return !foreign_.empty() && !is_integration_point(foreign_.back()); }

std::size_t Tokenizer::find_within(std::string_view text, std::size_t from) const {
  return html_.substr(0, end_).find(text, from);
}

bool Tokenizer::at_tag_name(std::size_t position, std::string_view name) const {
  const std::size_t after = position + name.size();
  return after < end_ && ends_tag_name(html_[after]) && equals_ignoring_case(html_.substr(position, name.size()), name);
}

}  // namespace mailhold::html
