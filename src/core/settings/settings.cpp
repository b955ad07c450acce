#include "core/settings/settings.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/log.h"
#include "base/text.h"
#include "core/settings/settings_file.h"

namespace mailhold {
namespace {

const KnownSetting* find_known(std::string_view key) {
  for (const KnownSetting& known : known_settings()) {
    if (known.key == key) return &known;
  }
  return nullptr;
}

Status check(const KnownSetting& known, const std::string& value) {
  const std::string key(known.key);
  if (known.type == SettingType::number && !to_number(value)) {
    return Error{ErrorKind::invalid_input,
                 key + " must be a whole number, as in " + key + " = " + std::string(known.default_value)};
  }
  if (known.type == SettingType::flag && value != "true" && value != "false") {
    return Error{ErrorKind::invalid_input, key + " must be true or false"};
  }
  return done();
}

}  // namespace

Result<Settings> Settings::from_map(std::map<std::string, std::string> values) {
  for (const auto& [key, value] : values) {
    const KnownSetting* known = find_known(key);
    if (known == nullptr) return Error{ErrorKind::invalid_input, key + " is not a setting; `mailhold settings list` shows all"};
    RETURN_IF_ERROR(check(*known, value));
  }
  Settings settings;
  settings.values_ = std::move(values);
  return settings;
}

Result<Settings> Settings::from_toml(std::string_view text, std::string_view file_name) {
  ASSIGN_OR_RETURN(auto values, read_toml(text, file_name));
  return from_map(std::move(values));
}

Result<Settings> Settings::from_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorKind::not_found, "the settings file " + path + " cannot be read"};
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return from_toml(text, path);
}

const std::string& Settings::value_of(std::string_view key, SettingType type) const {
  const KnownSetting* known = find_known(key);
  if (known == nullptr || known->type != type) {
    log_error("settings", "asked for an unknown setting or as another type: " + std::string(key));
    std::abort();
  }
  const auto found = values_.find(std::string(key));
  if (found != values_.end()) return found->second;
  static const std::map<std::string, std::string> defaults = [] {
    std::map<std::string, std::string> texts;
    for (const KnownSetting& each : known_settings()) texts.emplace(each.key, each.default_value);
    return texts;
  }();
  return defaults.at(std::string(key));
}

const std::string& Settings::text(std::string_view key) const { return value_of(key, SettingType::text); }

std::int64_t Settings::number(std::string_view key) const {
  return static_cast<std::int64_t>(to_number(value_of(key, SettingType::number)).value_or(0));
}

bool Settings::flag(std::string_view key) const { return value_of(key, SettingType::flag) == "true"; }

std::vector<std::string> Settings::list(std::string_view key) const {
  std::vector<std::string> items;
  for (const std::string_view item : split(value_of(key, SettingType::list), ' ')) {
    if (!item.empty()) items.emplace_back(item);
  }
  return items;
}

}  // namespace mailhold
