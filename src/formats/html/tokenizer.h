// Tokenizer: the tags of an HTML text with the spans of their attributes, after the tokenizer
// states of the HTML Standard (13.2.5). Internal to formats/html.
//
// Which state follows a tag depends on the tree that a browser builds; this tokenizer builds none.
// It is run once for each Reading where that could matter.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace mailhold::html {

enum class Reading {
  plain,    // raw text elements hold raw text, wherever they stand
  foreign,  // as plain, but not inside svg, math and select, followed as a tree builder would in well-meant HTML
  no_raw,   // nothing but script holds raw text
};

struct Attribute {
  std::string_view name;
  std::size_t value_offset = 0;
  std::size_t value_length = 0;
  char quote = 0;
};

struct Tag {
  std::string_view name;
  bool is_end = false;
  bool self_closing = false;
  std::vector<Attribute> attributes;  // those without a value are left out
};

class Tokenizer {
 public:
  Tokenizer(std::string_view html, Reading reading) : html_(html), end_(html.size()), reading_(reading) {}

  // The next tag; false at the end. Views point into the text; `tag` is reused.
  bool next(Tag& tag);

  // Where text stands that a reader sees: before the tag that next() gave last, since the one before it.
  const std::vector<std::string_view>& texts() const { return texts_; }

  // An element was met that makes the readings differ.
  bool readings_differ() const { return readings_differ_; }

 private:
  enum class Raw { no, to_end_tag, script, all };

  bool read_tag(Tag& tag);
  void read_attribute(Tag& tag);
  void skip_markup_declaration();
  void skip_comment();
  void skip_raw_text(std::string_view name);
  void skip_script();
  void skip_to(char c);
  Raw raw_text_of(const Tag& tag);
  void follow_tree(const Tag& tag);
  bool in_foreign() const;
  std::size_t comment_end(std::size_t content) const;
  std::size_t find_within(std::string_view text, std::size_t from) const;
  bool at_tag_name(std::size_t position, std::string_view name) const;

  std::string_view html_;
  std::vector<std::string_view> texts_;
  std::size_t position_ = 0;
  std::size_t end_;              // of what is being read: the whole, or a conditional comment
  std::size_t outer_end_ = 0;    // while in a conditional comment: where it is over
  std::size_t outer_limit_ = 0;  // and the end of the text around it
  bool in_conditional_ = false;
  Reading reading_;
  bool readings_differ_ = false;
  bool in_select_ = false;
  std::vector<std::string_view> foreign_;  // open elements from svg or math on
};

}  // namespace mailhold::html
