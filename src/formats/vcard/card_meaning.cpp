#include "formats/vcard/card_meaning.h"

#include <algorithm>

#include "base/text.h"

namespace mailhold::vcard {
namespace {

using contentlines::Component;
using contentlines::Parameter;
using contentlines::Property;

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_binary(const Property& property) {
  return contentlines::has_value(property, "ENCODING", "B") || contentlines::has_value(property, "ENCODING", "BASE64");
}

// ";" at the end of a structured value stands for parts that are not there: "Doe;John" is "Doe;John;;;".
std::string without_empty_parts(std::string_view value) {
  std::vector<std::string> parts = contentlines::split_unescaped(value, ';');
  while (parts.size() > 1 && parts.back().empty()) parts.pop_back();
  std::string out = parts.front();
  for (std::size_t i = 1; i < parts.size(); ++i) out += ";" + parts[i];
  return out;
}

void normalise(Component& component) {
  std::erase_if(component.properties,
                [](const Property& property) { return is_one_of(property.name, {"PRODID", "REV", "X-RADICALE-NAME"}); });
  contentlines::split_lists(component, {"CATEGORIES", "NICKNAME"});
  for (Property& property : component.properties) {
    for (Parameter& parameter : property.parameters) {
      // "TYPE=\"voice,home\"" is "TYPE=voice,home" (RFC 6350 section 5.6).
      if (parameter.name != "TYPE") continue;
      std::vector<std::string> types;
      for (const std::string& value : parameter.values) {
        for (const std::string_view type : split(value, ',')) types.emplace_back(trim(type));
      }
      parameter.values = std::move(types);
    }
    contentlines::merge_parameters(property, {"TYPE", "VALUE", "ENCODING", "PREF", "MEDIATYPE", "CALSCALE"});
    if (contentlines::has_value(property, "VALUE", "TEXT")) contentlines::remove_parameter(property, "VALUE");
    if (is_binary(property)) {
      std::erase_if(property.value, [](char letter) { return letter == ' ' || letter == '\t'; });
      for (Parameter& parameter : property.parameters) {
        if (parameter.name == "ENCODING") parameter.values = {"B"};
      }
      continue;
    }
    property.value = contentlines::canonical_escapes(trim(property.value));
    if (is_one_of(property.name, {"N", "ADR", "ORG", "GENDER"})) property.value = without_empty_parts(property.value);
  }
}

}  // namespace

Result<contentlines::Difference> difference_of(std::string_view a, std::string_view b) {
  ASSIGN_OR_RETURN(std::vector<Component> first, contentlines::read_components(a));
  ASSIGN_OR_RETURN(std::vector<Component> second, contentlines::read_components(b));
  return contentlines::difference_of(std::move(first), std::move(second), {normalise});
}

}  // namespace mailhold::vcard
