#include "core/settings/settings_file.h"

// toml++ 3.3 takes for granted what a malformed file can break ("[#"): __builtin_assume in a release build, an abort in any
// other. Without its assertions it goes on to its own error message. No other file includes it.
#undef NDEBUG
#define TOML_ASSERT(expression) static_cast<void>(0)
#define TOML_EXCEPTIONS 0
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <toml++/toml.h>
#pragma GCC diagnostic pop

namespace mailhold {
namespace {

Error at(std::string_view file_name, const toml::source_region& where, std::string_view what) {
  return {ErrorKind::invalid_input, std::string(file_name) + ":" + std::to_string(where.begin.line) + ":" +
                                        std::to_string(where.begin.column) + ": " + std::string(what)};
}

Result<std::string> value_text(const toml::node& node, std::string_view file_name) {
  if (const auto text = node.value_exact<std::string>()) return *text;
  if (const auto number = node.value_exact<std::int64_t>()) return std::to_string(*number);
  if (const auto flag = node.value_exact<bool>()) return std::string(*flag ? "true" : "false");
  if (const toml::array* items = node.as_array()) {
    std::string joined;
    for (const toml::node& item : *items) {
      const auto text = item.value_exact<std::string>();
      if (!text || text->find(' ') != std::string::npos) {
        return at(file_name, item.source(), "a list holds strings without spaces");
      }
      joined += (joined.empty() ? "" : " ") + *text;
    }
    return joined;
  }
  return at(file_name, node.source(), "must be a string, a whole number, true, false or a list of strings");
}

}  // namespace

Result<std::map<std::string, std::string>> read_toml(std::string_view text, std::string_view file_name) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) return at(file_name, parsed.error().source(), parsed.error().description());
  std::map<std::string, std::string> values;
  for (const auto& [section, node] : parsed.table()) {
    const toml::table* keys = node.as_table();
    if (keys == nullptr) return at(file_name, node.source(), "every setting stands in a [section]");
    for (const auto& [key, value] : *keys) {
      ASSIGN_OR_RETURN(const std::string written, value_text(value, file_name));
      values[std::string(section.str()) + "." + std::string(key.str())] = written;
    }
  }
  return values;
}

}  // namespace mailhold
