// Whether two texts of content lines mean the same, though a server wrote one of them anew: other order of lines and parameters,
// other folding, other quotes. Components are compared as sets with their properties, properties as sets with their parameters,
// after rules of the format said what is one and the same.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "formats/contentlines/content_lines.h"

namespace mailhold::contentlines {

struct Rules {
  // Gives one form to all ways of writing the same, and takes out what servers write of their own.
  std::function<void(Component& component)> normalise;
};

struct Difference {
  bool is_none = true;
  std::vector<std::string> names;  // "VEVENT.RRULE": in what; sorted, at most 16
};

Difference difference_of(std::vector<Component> a, std::vector<Component> b, const Rules& rules);

// For rules. Escapes of a text (RFC 5545 section 3.3.11): one way of writing each; "\:" is ":".
std::string canonical_escapes(std::string_view value);
// At separators that are not escaped.
std::vector<std::string> split_unescaped(std::string_view value, char separator);
std::string upper(std::string_view text);
// Properties whose values are lists become one for each value.
void split_lists(Component& component, std::initializer_list<std::string_view> names);
// Parameters of one name become one; its values are in capital letters where the name is in `any_case`, and sorted.
void merge_parameters(Property& property, std::initializer_list<std::string_view> any_case);
bool has_value(const Property& property, std::string_view parameter, std::string_view value);
void remove_parameter(Property& property, std::string_view name);

}  // namespace mailhold::contentlines
