#include "formats/ical/calendar_meaning.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "formats/ical/zone_names.h"

namespace mailhold::ical {
namespace {

using contentlines::Component;
using contentlines::Parameter;
using contentlines::Property;

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_of_the_server(const Property& property) {
  if (property.name == "CALSCALE") return contentlines::upper(trim(property.value)) == "GREGORIAN";
  return is_one_of(property.name, {"PRODID", "METHOD", "DTSTAMP", "LAST-MODIFIED", "CREATED", "X-RADICALE-NAME"});
}

// "BYDAY=WE,MO;FREQ=WEEKLY;INTERVAL=1" and "FREQ=WEEKLY;BYDAY=MO,WE" are one rule.
std::string canonical_rule(std::string_view value) {
  std::vector<std::string> parts;
  for (const std::string_view each : split(value, ';')) {
    std::string part = contentlines::upper(trim(each));
    if (part.empty() || part == "INTERVAL=1" || part == "WKST=MO") continue;
    if (const std::size_t equals = part.find('='); equals != std::string::npos && part.starts_with("BY")) {
      std::vector<std::string> days;
      for (const std::string_view day : split(std::string_view(part).substr(equals + 1), ',')) days.emplace_back(day);
      std::sort(days.begin(), days.end());
      part.resize(equals + 1);
      for (const std::string& day : days) part += (part.back() == '=' ? "" : ",") + day;
    }
    parts.push_back(std::move(part));
  }
  std::sort(parts.begin(), parts.end());
  std::string rule;
  for (const std::string& part : parts) rule += part + ";";
  return rule;
}

void remove_usual_type(Property& property) {
  const auto is_usual = [&](std::string_view type) { return contentlines::has_value(property, "VALUE", type); };
  const bool has_date = is_one_of(property.name, {"DTSTART", "DTEND", "DUE", "RECURRENCE-ID", "EXDATE", "RDATE", "COMPLETED"});
  if (is_usual("TEXT") || (has_date && is_usual("DATE-TIME")) || (property.name == "TRIGGER" && is_usual("DURATION")) ||
      (is_one_of(property.name, {"ATTACH", "URL"}) && is_usual("URI")))
    contentlines::remove_parameter(property, "VALUE");
}

std::string without_blanks(std::string text) {
  std::erase_if(text, [](char letter) { return letter == ' ' || letter == '\t' || letter == '\r' || letter == '\n'; });
  return text;
}

void normalise_property(Property& property) {
  contentlines::remove_parameter(property, "SCHEDULE-STATUS");
  contentlines::merge_parameters(property, {"VALUE", "ENCODING", "ROLE", "PARTSTAT", "CUTYPE", "RSVP", "RELATED", "RELTYPE",
                                            "FBTYPE", "RANGE", "SCHEDULE-AGENT", "FMTTYPE"});
  remove_usual_type(property);
  if (is_one_of(property.name, {"RRULE", "EXRULE"}))
    property.value = canonical_rule(property.value);
  else if (contentlines::has_value(property, "ENCODING", "BASE64"))
    property.value = without_blanks(std::move(property.value));
  else
    property.value = contentlines::canonical_escapes(trim(property.value));
  if (is_one_of(property.name, {"STATUS", "TRANSP", "CLASS", "ACTION"})) property.value = contentlines::upper(property.value);
}

void collect_zones(const Component& component, std::set<std::string>& used) {
  for (const Property& property : component.properties) {
    for (const Parameter& parameter : property.parameters) {
      if (parameter.name == "TZID") used.insert(parameter.values.begin(), parameter.values.end());
    }
  }
  for (const Component& each : component.components) collect_zones(each, used);
}

// "+010000" is "+0100".
std::string canonical_offset(std::string_view value) {
  value = trim(value);
  return std::string(value.size() == 7 && value.ends_with("00") ? value.substr(0, 5) : value);
}

// When the clocks change from what to what, and nothing else.
void normalise_observance(Component& observance) {
  std::erase_if(observance.properties, [](const Property& property) {
    return !is_one_of(property.name, {"DTSTART", "RRULE", "RDATE", "TZOFFSETFROM", "TZOFFSETTO"});
  });
  for (Property& property : observance.properties) {
    if (property.name.starts_with("TZOFFSET")) property.value = canonical_offset(property.value);
  }
}

void normalise_zone(Component& zone) {
  std::erase_if(zone.properties, [](const Property& property) { return property.name != "TZID"; });
  const bool is_public = std::any_of(zone.properties.begin(), zone.properties.end(),
                                     [](const Property& property) { return is_public_zone(trim(property.value)); });
  std::erase_if(zone.components,
                [&](const Component& each) { return is_public || !is_one_of(each.name, {"STANDARD", "DAYLIGHT"}); });
}

void normalise(Component& component) {
  if (component.name == "VTIMEZONE") normalise_zone(component);
  if (is_one_of(component.name, {"STANDARD", "DAYLIGHT"})) normalise_observance(component);
  std::erase_if(component.properties, is_of_the_server);
  contentlines::split_lists(component, {"EXDATE", "RDATE", "CATEGORIES", "RESOURCES", "FREEBUSY"});
  for (Property& property : component.properties) normalise_property(property);
  if (component.name != "VCALENDAR") return;
  // A zone that nothing is in says nothing.
  std::set<std::string> used;
  collect_zones(component, used);
  std::erase_if(component.components, [&](const Component& each) {
    return each.name == "VTIMEZONE" && std::none_of(each.properties.begin(), each.properties.end(),
                                                    [&](const Property& property) { return used.contains(property.value); });
  });
}

}  // namespace

Result<contentlines::Difference> difference_of(std::string_view a, std::string_view b) {
  ASSIGN_OR_RETURN(std::vector<Component> first, contentlines::read_components(a));
  ASSIGN_OR_RETURN(std::vector<Component> second, contentlines::read_components(b));
  return contentlines::difference_of(std::move(first), std::move(second), {normalise});
}

}  // namespace mailhold::ical
