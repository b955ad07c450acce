#include "formats/dkim/tag_list.h"

#include <algorithm>

#include "base/text.h"

namespace mailhold::dkim {
namespace {

constexpr std::size_t tags_max = 64;

bool is_tag_name(std::string_view name) {  // ALPHA *( ALPHA / DIGIT / "_" )
  if (name.empty() || to_lower(name[0]) < 'a' || to_lower(name[0]) > 'z') return false;
  return std::all_of(name.begin(), name.end(), [](char letter) {
    const char lower = to_lower(letter);
    return (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') || lower == '_';
  });
}

}  // namespace

std::optional<TagList> TagList::parse(std::string_view text) {
  TagList list;
  while (!text.empty()) {
    const std::size_t end = text.find(';');
    const std::string_view piece = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    const std::size_t equals = piece.find('=');
    if (equals == std::string_view::npos) {
      if (trim(piece).empty() && text.empty()) break;  // one ";" may end the list
      return std::nullopt;
    }
    const Tag tag{trim(piece.substr(0, equals)), trim(piece.substr(equals + 1)), piece.substr(equals + 1)};
    if (!is_tag_name(tag.name) || list.find(tag.name) != nullptr || list.tags_.size() == tags_max) return std::nullopt;
    list.tags_.push_back(tag);
  }
  return list;
}

const Tag* TagList::find(std::string_view name) const {
  for (const Tag& tag : tags_) {
    if (tag.name == name) return &tag;
  }
  return nullptr;
}

std::optional<std::string_view> TagList::value(std::string_view name) const {
  const Tag* tag = find(name);
  return tag == nullptr ? std::nullopt : std::optional(tag->value);
}

std::string without_white_space(std::string_view text) {
  std::string kept;
  kept.reserve(text.size());
  for (char letter : text) {
    if (letter != ' ' && letter != '\t' && letter != '\r' && letter != '\n') kept += letter;
  }
  return kept;
}

}  // namespace mailhold::dkim
