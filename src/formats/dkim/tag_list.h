// The tag=value lists of DKIM, RFC 6376 section 3.2, in signatures and key records.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailhold::dkim {

struct Tag {
  std::string_view name{};
  std::string_view value{};      // without white space around it
  std::string_view raw_value{};  // all between "=" and ";" or the end
};

class TagList {
 public:
  // Nothing if it breaks the grammar or a name stands twice. The list holds views into `text`. At most 64 tags.
  static std::optional<TagList> parse(std::string_view text);

  const Tag* find(std::string_view name) const;  // nullptr if absent; names are case-sensitive
  std::optional<std::string_view> value(std::string_view name) const;
  const std::vector<Tag>& tags() const { return tags_; }

 private:
  std::vector<Tag> tags_;
};

// Without any space, tab, CR and LF: for base64 and lists, where folding may stand anywhere.
std::string without_white_space(std::string_view text);

}  // namespace mailhold::dkim
