#include "formats/contentlines/meaning.h"

#include <algorithm>
#include <set>

#include "base/bytes.h"

namespace mailhold::contentlines {
namespace {

constexpr std::size_t names_max = 16;
constexpr std::size_t split_bytes_max =
    32U << 20;  // a list that would become more, each value with its parameters, stays as it is

std::string canonical(const Property& property) {
  ByteWriter writer;
  writer.text(property.name).text(property.group);
  std::vector<Parameter> parameters = property.parameters;
  std::sort(parameters.begin(), parameters.end(), [](const Parameter& a, const Parameter& b) { return a.name < b.name; });
  for (const Parameter& parameter : parameters) {
    writer.text(parameter.name);
    for (const std::string& value : parameter.values) writer.text("=" + value);
  }
  writer.text(":" + property.value);
  return writer.take();
}

void normalise(Component& component, const Rules& rules) {
  for (Component& each : component.components) normalise(each, rules);
  rules.normalise(component);
}

// Everything of a component in one text, whatever order it came in. What each property says is noted in `properties`, with the
// name to call it by.
std::string canonical(const Component& component, std::multiset<std::pair<std::string, std::string>>& properties) {
  std::vector<std::string> parts;
  for (const Property& property : component.properties) {
    parts.push_back("p" + canonical(property));
    properties.emplace(component.name + "." + property.name, parts.back());
  }
  for (const Component& each : component.components) parts.push_back("c" + canonical(each, properties));
  std::sort(parts.begin(), parts.end());
  ByteWriter writer;
  writer.text(component.name);
  for (const std::string& part : parts) writer.text(part);
  return writer.take();
}

}  // namespace

Difference difference_of(std::vector<Component> a, std::vector<Component> b, const Rules& rules) {
  Component all[2];
  std::string texts[2];
  std::multiset<std::pair<std::string, std::string>> properties[2];
  all[0].components = std::move(a);
  all[1].components = std::move(b);
  for (std::size_t i = 0; i < 2; ++i) {
    normalise(all[i], rules);
    texts[i] = canonical(all[i], properties[i]);
  }
  Difference difference;
  difference.is_none = texts[0] == texts[1];
  if (difference.is_none) return difference;
  std::vector<std::pair<std::string, std::string>> differing;
  std::set_symmetric_difference(properties[0].begin(), properties[0].end(), properties[1].begin(), properties[1].end(),
                                std::back_inserter(differing));
  std::set<std::string> names;
  for (auto& [name, text] : differing) names.insert(std::move(name));
  if (names.empty()) names.insert("components");
  for (const std::string& name : names) {
    if (difference.names.size() < names_max) difference.names.push_back(name);
  }
  return difference;
}

std::string canonical_escapes(std::string_view value) {
  std::string out;
  for (std::size_t at = 0; at < value.size(); ++at) {
    if (value[at] != '\\' || at + 1 == value.size()) {
      out += value[at];
      continue;
    }
    const char next = value[++at];
    if (next == 'n' || next == 'N')
      out += "\\n";
    else if (next == ',' || next == ';' || next == '\\')
      out.append({'\\', next});
    else
      out += next;
  }
  return out;
}

std::vector<std::string> split_unescaped(std::string_view value, char separator) {
  std::vector<std::string> parts(1);
  for (std::size_t at = 0; at < value.size(); ++at) {
    if (value[at] == separator) {
      parts.emplace_back();
      continue;
    }
    parts.back() += value[at];
    if (value[at] == '\\' && at + 1 < value.size()) parts.back() += value[++at];
  }
  return parts;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& letter : out) {
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  }
  return out;
}

void split_lists(Component& component, std::initializer_list<std::string_view> names) {
  std::vector<Property> properties;
  for (Property& property : component.properties) {
    if (std::find(names.begin(), names.end(), property.name) == names.end()) {
      properties.push_back(std::move(property));
      continue;
    }
    std::vector<std::string> values = split_unescaped(property.value, ',');
    std::size_t each_bytes = 64;
    for (const Parameter& parameter : property.parameters) {
      for (const std::string& value : parameter.values) each_bytes += 64 + value.size();
    }
    if (values.size() > split_bytes_max / each_bytes) {
      properties.push_back(std::move(property));
      continue;
    }
    for (std::string& value : values) {
      properties.push_back(property);
      properties.back().value = std::move(value);
    }
  }
  component.properties = std::move(properties);
}

void merge_parameters(Property& property, std::initializer_list<std::string_view> any_case) {
  std::vector<Parameter> merged;
  for (Parameter& parameter : property.parameters) {
    if (std::find(any_case.begin(), any_case.end(), parameter.name) != any_case.end()) {
      for (std::string& value : parameter.values) value = upper(value);
    }
    const auto found =
        std::find_if(merged.begin(), merged.end(), [&](const Parameter& each) { return each.name == parameter.name; });
    if (found == merged.end())
      merged.push_back(std::move(parameter));
    else
      found->values.insert(found->values.end(), parameter.values.begin(), parameter.values.end());
  }
  for (Parameter& parameter : merged) std::sort(parameter.values.begin(), parameter.values.end());
  property.parameters = std::move(merged);
}

bool has_value(const Property& property, std::string_view parameter, std::string_view value) {
  return std::any_of(property.parameters.begin(), property.parameters.end(), [&](const Parameter& each) {
    return each.name == parameter &&
           std::any_of(each.values.begin(), each.values.end(), [&](const std::string& known) { return upper(known) == value; });
  });
}

void remove_parameter(Property& property, std::string_view name) {
  std::erase_if(property.parameters, [&](const Parameter& each) { return each.name == name; });
}

}  // namespace mailhold::contentlines
