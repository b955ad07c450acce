// Content lines and the components they stand in. Read as servers and programs write them: lines that end with LF alone, and
// names in any case. Nothing is corrected: what cannot be read is an error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mailhold::contentlines {

struct Parameter {
  std::string name;                 // in capital letters
  std::vector<std::string> values;  // without their quotes; ^n, ^^ and ^' decoded (RFC 6868)
};

struct Property {
  std::string group;  // vCard: "ITEM1" of "item1.TEL"; in capital letters
  std::string name;   // in capital letters
  std::vector<Parameter> parameters;
  std::string value;  // unfolded, with its escapes
};

struct Component {
  std::string name;  // "VEVENT"
  std::vector<Property> properties;
  std::vector<Component> components;
};

struct Limits {
  std::size_t bytes_max = 16U << 20;
  std::size_t lines_max = 200'000;
  std::size_t depth_max = 16;
  std::size_t parameters_max = 100;  // of one line
};

// The components at the top, in order. invalid_input, limit_exceeded.
Result<std::vector<Component>> read_components(std::string_view text, const Limits& limits = {});

}  // namespace mailhold::contentlines
