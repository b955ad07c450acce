// Settings: what stands in the one TOML file, as "section.key" -> text, checked against the
// list of known settings (known_settings.cpp), which also holds defaults and explanations.
// Secrets never stand here; tenants, domains, routes and people live in records.
//
// Immutable after construction, so any thread may read.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mailhold {

enum class SettingType { text, number, flag, list };

struct KnownSetting {
  std::string_view key;  // "gateway.size_bytes_max"
  SettingType type;
  std::string_view default_value;  // as it would stand in the file, without quotes; list: separated by spaces
  std::string_view meaning;        // one sentence for the operator
};

std::span<const KnownSetting> known_settings();

class Settings {
 public:
  Settings() = default;  // all defaults

  // invalid_input names the key, what is wrong with it and what would be right.
  static Result<Settings> from_map(std::map<std::string, std::string> values);
  static Result<Settings> from_toml(std::string_view text, std::string_view file_name);
  static Result<Settings> from_file(const std::string& path);

  // Asking for a key that is not known, or as another type, is a bug of the caller and ends the process.
  const std::string& text(std::string_view key) const;
  std::int64_t number(std::string_view key) const;
  bool flag(std::string_view key) const;
  std::vector<std::string> list(std::string_view key) const;

  // What differs from the defaults; from_map() of it gives the same settings.
  const std::map<std::string, std::string>& values() const { return values_; }

 private:
  const std::string& value_of(std::string_view key, SettingType type) const;
  std::map<std::string, std::string> values_;
};

}  // namespace mailhold
